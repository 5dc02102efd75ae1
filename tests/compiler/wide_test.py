"""Layers that upconvc compiles with vectors of channels, `wide` and `combined`: bit by bit against the
library, where the order of summation is its own.

    python3 tests/compiler/wide_test.py UPCONVC UPCONV CC CXX CMAKE [unittest arguments]
"""

import numpy as np

from support import SEED, CompilerTest, main, reference, runnable_isas


class Wide(CompilerTest):
    def check_layers(self, layers, seed, expect, options=(), constant=lambda case, fixed: fixed):
        """Each with extents that are constants and arguments, with constant weights and without, on
        one instruction set of this machine after the other.

        expect: of a manifest; constant: whether a case's weights are."""
        isas = runnable_isas()
        for case, (config, extents) in enumerate(layers):
            config = dict(config, rank=len(extents), name="layer")
            for fixed in (False, True):
                isa = isas[(case + fixed) % len(isas)]
                with self.subTest(case=case, fixed=fixed, isa=isa):
                    self.check_case(np.random.default_rng([SEED, seed, case]), config, extents, isa,
                                    constant(case, fixed), fixed, options=options)
                    expect(self.manifest(isa))

    def test_combined_phases(self):
        """Blocks that the window cuts at either end, along one axis, two and three."""
        layers = [
            ({"filter_shape": [4, 4], "strides": [2, 2], "padding": "same", "output_size": 3}, (5, 7)),
            ({"filter_shape": [9, 9], "strides": [3, 3], "padding": [[4, 4], [1, 5]],
              "output_padding": [2, 0], "output_size": 1, "activation": "tanh"}, (6, 4)),
            ({"filter_shape": [3, 4], "strides": [1, 4], "padding": [[1, 1], [-2, 3]],
              "output_size": 2}, (4, 1)),
            ({"filter_shape": [16], "strides": [8], "padding": [[5, 6]], "output_size": 5}, (9,)),
            ({"filter_shape": [8], "strides": [8], "padding": [[3, 2]], "output_size": 1}, (1,)),
            ({"filter_shape": [2, 4, 2], "strides": [2, 2, 2], "padding": "valid",
              "output_size": 1, "dtype": "float64"}, (2, 3, 4)),
            # Phases that have a tap less than others, or none.
            ({"filter_shape": [9, 9], "strides": [2, 2], "padding": [[4, 4], [3, 5]],
              "output_padding": [1, 1], "output_size": 1, "arithmetic": "fast"}, (6, 5)),
            ({"filter_shape": [3, 2, 5], "strides": [2, 3, 4], "padding": "valid",
              "output_size": 2, "arithmetic": "fast"}, (2, 3, 4)),
            ({"filter_shape": [1, 9], "strides": [1, 4], "padding": "same",
              "output_size": 5, "arithmetic": "fast"}, (3, 1)),
        ]
        layers = [(dict(config, input_size=6), extents) for config, extents in layers]
        self.check_layers(layers, 9, lambda found: self.assertEqual(found["strategy"], "combined"),
                          ["--strategy", "combined"])

    def test_phases_of_one_tap_become_one_box(self):
        """Without overlap the phases of a row are channels, and their pixels next to one another in
        y: not through products in scratch, of which each chunk reads all weights; and not where y
        is in memory and channels are so many that a pixel's would be written at different times."""
        for inputs, outputs, filters, shape, want in (
                (16, 16, [2, 2], "1,96,96,16", "combined"),
                (64, 128, [2, 2], "1,32,32,64", "combined"),
                (1024, 512, [2, 2], "1,8,8,1024", "combined"),
                (2, 1696, [8, 8, 8], "2,2,1,26,2", "wide")):
            for isa in ("avx2", "avx512"):
                with self.subTest(inputs=inputs, outputs=outputs, isa=isa):
                    self.write_layer({"input_size": inputs, "output_size": outputs,
                                      "filter_shape": filters, "strides": filters,
                                      "rank": len(filters), "padding": "valid", "name": "layer"})
                    self.compile_layer("--input-shape", shape, targets=[isa])
                    self.assertEqual(self.manifest(isa)["strategy"], want)

    def test_blocks_inside_and_around_tiles(self):
        """Weights of a phase that a tile passes block by block, and too many for that: whole blocks
        and a padded one, tiles and rests, one image and several."""
        layers = [
            ({"filter_shape": [3], "strides": [1], "padding": "valid", "input_size": 20,
              "output_size": 300, "activation": "gelu"}, (43,)),
            ({"filter_shape": [3], "strides": [1], "padding": "valid", "input_size": 20,
              "output_size": 401}, (43,)),
            ({"filter_shape": [3, 3], "strides": [1, 1], "padding": "same", "input_size": 1,
              "output_size": 259, "use_bias": False}, (9, 11)),
            ({"filter_shape": [4, 2], "strides": [2, 2], "padding": "same", "input_size": 9,
              "output_size": 70, "dtype": "float64", "activation": "relu"}, (13, 6)),
            ({"filter_shape": [4, 2], "strides": [2, 2], "padding": "valid", "input_size": 150,
              "output_size": 200}, (13, 6)),
        ]
        self.check_layers(layers, 23, lambda found: self.assertEqual(
            (found["strategy"], found["piece_inputs"]), ("wide", 0)), ["--strategy", "wide"])

    def test_sums_in_pieces(self):
        """One tap and some input channels at a time: pieces of equal and unequal lengths, slabs
        that cut an axis, outputs that no tap reaches, all activations after the last piece."""
        layers = [
            ({"filter_shape": [4, 4], "strides": [2, 2], "padding": "same", "input_size": 1024,
              "output_size": 64}, (4, 4)),
            ({"filter_shape": [5, 3], "strides": [2, 4], "padding": [[1, 2], [0, 1]],
              "output_padding": [1, 0], "input_size": 1031, "output_size": 48,
              "activation": "tanh"}, (3, 1)),
            ({"filter_shape": [6], "strides": [2], "padding": [[1, 3]], "input_size": 1500,
              "output_size": 80, "activation": "relu"}, (260,)),
            ({"filter_shape": [3, 3, 2], "strides": [2, 1, 2], "dilations": [3, 2, 1],
              "padding": "valid", "input_size": 700, "output_size": 16, "dtype": "float64",
              "activation": "gelu", "use_bias": False}, (2, 3, 2)),
        ]
        self.check_layers(layers, 11, lambda found: self.assertGreater(found["piece_inputs"], 0),
                          ["--strategy", "wide"], constant=lambda case, fixed: case % 2 == 1)

    def test_gaps(self):
        """Outputs that no tap reaches, where they are most of y: less and more channels than a
        vector has, one pixel and many, slabs that cut an axis and such as hold several images."""
        layers = [
            ({"filter_shape": [1, 1], "strides": [2, 2], "padding": "same", "input_size": 40,
              "output_size": 33, "activation": "tanh"}, (70, 50)),
            ({"filter_shape": [2, 1, 1], "strides": [5, 3, 2], "padding": [[0, 1], [1, -4], [0, 0]],
              "input_size": 2, "output_size": 3, "activation": "sigmoid"}, (2, 3, 4)),
            ({"filter_shape": [3], "strides": [7], "padding": [[1, 2]], "input_size": 5,
              "output_size": 16, "use_bias": False}, (9,)),
            ({"filter_shape": [2, 3], "strides": [4, 2], "dilations": [2, 2], "padding": "valid",
              "input_size": 4, "output_size": 9, "activation": "relu"}, (3, 1)),
            ({"filter_shape": [1, 1], "strides": [6, 9], "padding": "valid", "output_padding": [5, 0],
              "input_size": 3, "output_size": 1, "dtype": "float64", "activation": "gelu"}, (1, 1)),
            ({"filter_shape": [1, 3], "strides": [1, 9], "padding": [[0, 0], [2, 4]],
              "output_padding": [0, 8], "input_size": 7, "output_size": 260}, (5, 3)),
        ]
        self.check_layers(layers, 13, lambda found: self.assertTrue(found["fills_gaps"]),
                          ["--strategy", "wide"])

    def test_gaps_of_fewer_pixels_than_a_vector(self):
        config = {"rank": 1, "filter_shape": [1], "padding": "valid", "input_size": 2,
                  "output_size": 1, "name": "layer"}
        for isa in runnable_isas():
            for stride in (2, 3, 7, 8, 9, 17):
                with self.subTest(isa=isa, stride=stride):
                    self.check_shape(np.random.default_rng([SEED, 19, stride]),
                                     dict(config, strides=[stride]), (1, 1, 2), isa, False,
                                     options=["--strategy", "wide"])


class AddedSums(CompilerTest):
    """With fast arithmetic, sums in pieces of a padded block are added to y when they are complete:
    in no order of the library's."""

    def assert_same_as_library(self, config, x, kernel, bias, y, isa):
        self.assertIsNone(reference.difference(config, x, kernel, bias, y, exact=False))

    def test_random_values(self):
        """Rests that fill their tile and such as do not, blocks beside a padded one and none, a
        last piece that is shorter, outputs that no tap reaches, an activation."""
        layers = [
            ({"filter_shape": [3, 3], "strides": [1, 1], "padding": "valid", "input_size": 253,
              "output_size": 65}, (4, 2)),
            ({"filter_shape": [5, 5], "strides": [1, 1], "padding": "valid", "input_size": 70,
              "output_size": 39, "activation": "tanh"}, (5, 7)),
            ({"filter_shape": [5, 4], "strides": [2, 1], "dilations": [1, 3], "padding": "valid",
              "input_size": 301, "output_size": 9, "use_bias": False}, (2, 1)),
            ({"filter_shape": [7], "strides": [2], "padding": [[2, 3]], "input_size": 64,
              "output_size": 27, "dtype": "float64", "activation": "relu"}, (3,)),
        ]
        isas = runnable_isas()
        for case, (config, extents) in enumerate(layers):
            config = dict(config, rank=len(extents), name="layer", arithmetic="fast")
            for images in (1, 3):
                with self.subTest(case=case, images=images):
                    isa = isas[(case + images) % len(isas)]
                    self.check_shape(np.random.default_rng([SEED, 17, case, images]), config,
                                     (images, *extents, config["input_size"]), isa, case % 2 == 1,
                                     options=["--strategy", "wide"])
                    self.assertGreater(self.manifest(isa)["piece_inputs"], 0)

    def test_direct_arithmetic_does_not_add(self):
        config = {"rank": 2, "filter_shape": [3, 3], "strides": [1, 1], "padding": "valid",
                  "input_size": 253, "output_size": 65, "name": "layer"}
        for arithmetic, pieces in (("direct", False), ("fast", True)):
            self.write_layer(dict(config, arithmetic=arithmetic))
            self.compile_layer("--input-shape", "1,4,2,253", "--strategy", "wide")
            self.assertEqual(self.manifest("sse41")["piece_inputs"] > 0, pieces)


if __name__ == "__main__":
    main()

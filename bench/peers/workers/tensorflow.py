"""TensorFlow: tf.nn.conv{2,3}d_transpose, NHWC, as a graph and eagerly; 1-D runs as 2-D."""

import tensorflow as tf

from workers.common import THREADS, serve
from workers.tensorflow_layer import layer_of

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)


def graph(problem):
    layer, x, shape = layer_of(problem)
    x = tf.constant(x)
    function = tf.function(layer).get_concrete_function(tf.TensorSpec(x.shape, tf.float32))
    return (lambda: function(x)), lambda: function(x).numpy().reshape(shape)


def eager(problem):
    layer, x, shape = layer_of(problem)
    x = tf.constant(x)
    return (lambda: layer(x)), lambda: layer(x).numpy().reshape(shape)


class TensorFlow:
    name = "TensorFlow"
    version = tf.__version__

    def builders(self, problem):
        return {"graph": lambda: graph(problem), "eager": lambda: eager(problem)}

    def fresh(self, problem):
        # Eagerly: a graph would be traced again, or compute its output shape in every call.
        return lambda other: eager(other)[0]


if __name__ == "__main__":
    serve(TensorFlow)

"""./dev leaves alone what is not this checkout's.

    python3 tests/unit/dev_test.py [unittest arguments]
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

DEV = pathlib.Path(__file__).resolve().parent.parent.parent / "dev"


class Environments(unittest.TestCase):
    def test_links_are_refused_and_not_followed(self):
        for name in (".venv", ".venv-peers"):
            with self.subTest(name=name), tempfile.TemporaryDirectory() as folder:
                checkout, other = pathlib.Path(folder, "checkout"), pathlib.Path(folder, "other")
                checkout.mkdir()
                other.mkdir()
                (other / "file").write_text("kept")
                shutil.copy(DEV, checkout)
                (checkout / name).symlink_to(other)
                result = subprocess.run([checkout / "dev", "setup"], capture_output=True, text=True,
                                        env={**os.environ, "UPCONV_NO_APT": "1"}, timeout=60)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertEqual(
                    result.stderr,
                    f"dev: {name} is a symbolic link to \"{other}\"; it must be a folder of this "
                    "checkout alone. Remove the link, then ./dev again\n")
                self.assertEqual((other / "file").read_text(), "kept")


if __name__ == "__main__":
    unittest.main()

"""Compile the kernels; everything else is in pyproject.toml."""

import os
import subprocess
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("skgd/_kernels")

# -fopenmp-simd reads the simd pragmas only: no OpenMP runtime is linked. Without the other
# two, square roots and selects would not vectorise; results are the same.
FLAGS = ["-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]

# Where arrays lie in memory must not choose between two versions of a loop, one of vectors and
# one of numbers: they round differently, and a fit would not be the same twice.
GCC_FLAGS = [
    "--param=vect-max-version-for-alias-checks=0",
    "--param=vect-max-version-for-alignment-checks=0",
    "--param=vect-max-peeling-for-alignment=0",
]


def is_gcc(compiler):
    """Whether the C compiler is gcc: others do not know its parameters."""
    try:
        told = subprocess.run(
            [compiler[0], "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return "Free Software Foundation" in told.stdout


class BuildKernels(build_ext):
    """Adds flags that gcc and clang know; others take their defaults."""

    def build_extensions(self):
        self.parallel = self.parallel or os.cpu_count()
        if self.compiler.compiler_type != "msvc":
            flags = FLAGS + (GCC_FLAGS if is_gcc(self.compiler.compiler_so) else [])
            for extension in self.extensions:
                extension.extra_compile_args = flags
        super().build_extensions()


extensions = [
    Extension(
        f"skgd._kernels.{path.stem}",
        [path.as_posix()],
        include_dirs=[KERNELS.as_posix()],
        depends=[p.as_posix() for p in sorted(KERNELS.iterdir()) if p.suffix in (".h", ".pxd")],
    )
    for path in sorted(KERNELS.glob("*.pyx"))
]

setup(
    ext_modules=cythonize(extensions, language_level=3),
    cmdclass={"build_ext": BuildKernels},
)

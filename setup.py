"""Compile the kernels; everything else is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("skgd/_kernels")

# -fopenmp-simd reads the simd pragmas only: no OpenMP runtime is linked. Without the other
# two, square roots and selects would not vectorise; results are the same.
FLAGS = ["-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]


class BuildKernels(build_ext):
    """Adds flags that gcc and clang know; others take their defaults."""

    def build_extensions(self):
        self.parallel = self.parallel or os.cpu_count()
        if self.compiler.compiler_type != "msvc":
            for extension in self.extensions:
                extension.extra_compile_args = FLAGS
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

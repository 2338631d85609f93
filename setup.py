"""Build and metadata of mmpatch.

A wheel carries ``configs/`` and ``tools/`` along as ``mmpatch/.mim``, where mmengine
(``_base_ = 'mmpatch::...'``) and mim look for them; an editable install has links there instead.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
    from setuptools.command.editable_wheel import editable_wheel
except ImportError:
    sys.exit('mmpatch builds with setuptools >= 77: `pip install "setuptools>=77,<82"`.')

ROOT = Path(__file__).resolve().parent
#: What goes along in `.mim`, and which files of the folders.
MIM_INDEX = 'model-index.yml'
MIM_FOLDERS = ('configs', 'tools')
MIM_SUFFIXES = ('.py', '.sh', '.yml', '.yaml')


def version() -> str:
    """Read the version without importing the package, which needs torch."""
    scope: dict[str, str] = {}
    exec((ROOT / 'mmpatch' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


def readme() -> str:
    """Return the long description."""
    path = ROOT / 'README.md'
    return path.read_text(encoding='utf-8') if path.is_file() else ''


def copy_mim(target: Path) -> None:
    """Copy configs and tools to ``target``, leaving out what git does not know either."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy2(ROOT / MIM_INDEX, target)
    for folder in MIM_FOLDERS:
        for source in sorted((ROOT / folder).rglob('*')):
            if source.is_file() and source.suffix in MIM_SUFFIXES:
                copy = target / source.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)


def link_mim(target: Path) -> None:
    """Link configs and tools into ``target``: an edited config is used without a new install."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for name in (MIM_INDEX, *MIM_FOLDERS):
        (target / name).symlink_to(Path('..', '..', name))


class BuildPy(build_py):
    """Put ``mmpatch/.mim`` into what is built, not into the source tree."""

    def run(self) -> None:
        """Build the modules, then add configs and tools."""
        super().run()
        if not self.editable_mode:
            copy_mim(Path(self.build_lib, 'mmpatch', '.mim'))


class EditableWheel(editable_wheel):
    """Link ``mmpatch/.mim`` in the source tree, which is what an editable install imports."""

    def run(self) -> None:
        """Link configs and tools, then install as usual."""
        link_mim(ROOT / 'mmpatch' / '.mim')
        super().run()


class BdistWheel(bdist_wheel):
    """Put a second ``.mim`` beside the metadata: that is where onedl-mim looks.

    onedl-mim 0.5.1 takes the top folder of the first file in RECORD for the package. pip sorts
    RECORD, and where a distribution is named like its module, ``mmpatch-0.1.0.dist-info/`` comes
    before ``mmpatch/``. No file name can come between; so mim finds configs and tools in the folder
    that it takes. openmim and mmengine look in the package itself.
    """

    def write_wheelfile(self, wheelfile_base: str, *args: object, **kwargs: object) -> None:
        """Write WHEEL, then the files for mim; RECORD is written after both."""
        super().write_wheelfile(wheelfile_base, *args, **kwargs)
        if (
            '.dist-info' in str(wheelfile_base)
            and not self.distribution.get_command_obj('build_py').editable_mode
        ):
            copy_mim(Path(wheelfile_base, '.mim'))


setup(
    # Named like the module: mim asks for the distribution `mmpatch` when it is told
    # `mim train mmpatch`, and mmengine does for `mmpatch::`.
    name='mmpatch',
    version=version(),
    description='Patch-wise training of vision models on very large images, for OpenMMLab',
    long_description=readme(),
    long_description_content_type='text/markdown',
    author='mmpatch contributors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords='computer vision, object detection, segmentation, large images, OpenMMLab',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    packages=find_packages(include=['mmpatch', 'mmpatch.*']),
    package_data={'mmpatch': ['py.typed']},
    python_requires='>=3.10,<3.13',
    # Nothing of OpenMMLab here. Upstream and maintained builds give the same modules under different
    # names (mmdet, onedl-mmdetection), so naming one would install it over the other; and mmcv has to
    # be compiled against the torch that is already there. The set-up installs pinned packages
    # (requirements/); `import mmpatch` says what is missing. The extras name the two sets.
    install_requires=['numpy', 'torch>=2.4'],
    extras_require={
        'maintained': [
            'onedl-mmengine>=0.10.12,<0.11',
            'onedl-mmcv>=2.3.6,<2.4',
            'onedl-mmdetection>=3.5.1,<3.6',
            'onedl-mmsegmentation>=1.4.2,<1.5',
            'onedl-mmpretrain>=1.3.6,<1.4',
            'fiona',
            'rasterio',
            'sahi',
            'shapely',
            'timm',
        ],
        'upstream': [
            'mmengine>=0.10.7,<0.11',
            'mmcv>=2.1.0,<2.2',
            'mmdet>=3.3.0,<3.4',
            'mmsegmentation>=1.2.2,<1.3',
            'mmpretrain>=1.2.0,<1.3',
            'fiona',
            'rasterio',
            'sahi',
            'shapely',
            'timm',
        ],
        # many scenes on a cluster: tools/predict_raster.py --engine ray
        'ray': ['ray[data]>=2.40'],
    },
    cmdclass={'build_py': BuildPy, 'editable_wheel': EditableWheel, 'bdist_wheel': BdistWheel},
    zip_safe=False,
)

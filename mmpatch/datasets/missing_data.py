"""One error for every data set that is not there: where it was looked for, and what to do."""

from pathlib import Path

#: Said at the end of every error about missing data.
BUNDLED_EXAMPLE = (
    'The bundled example needs no download by hand: `make demo` fetches its data and trains '
    'configs/patch_fcos_yellowstone.py'
)


def is_local(path: str) -> bool:
    """Say whether ``path`` is one of the local file system, not an address such as ``s3://...``."""
    return '://' not in path


def missing_data_error(what: str, path: str, how_to_get: str) -> FileNotFoundError:
    """Return the error about a file or folder of a data set that is not there.

    Args:
        what: What is missing, as ``'annotation file'``.
        path: Where it was looked for; reported as an absolute path.
        how_to_get: One or more sentences on how to get the data set.

    Returns:
        The error, to be raised by the caller.
    """
    return FileNotFoundError(
        f'{what} not found: looked for {Path(path).resolve()}. {how_to_get.rstrip(". ")}. '
        f'{BUNDLED_EXAMPLE}.'
    )


def require_file(what: str, path: str, how_to_get: str) -> None:
    """Raise FileNotFoundError unless the local ``path`` is a file; addresses of other backends pass."""
    if is_local(path) and not Path(path).is_file():
        raise missing_data_error(what, path, how_to_get)


def require_folder(what: str, path: str, how_to_get: str) -> None:
    """Raise FileNotFoundError unless the local ``path`` is a folder; addresses of other backends pass."""
    if is_local(path) and not Path(path).is_dir():
        raise missing_data_error(what, path, how_to_get)

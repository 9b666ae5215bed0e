"""What is known of a shard: arrays by name, in a file that is written whole or not at all."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolrecipes.files import whole
from smolrecipes.pipeline.writing import writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from smolrecipes.kinds import Facts

LARGE = 1 << 20
"""Bytes of an array from which on it is not read whole."""


def write_facts(file: Path, facts: Facts) -> None:
    """What is known of a shard, as arrays; as `numpy.savez` stores them, which lets none be called `file`."""
    import numpy as np

    arrays = {name: np.asanyarray(value) for name, value in facts.items()}
    with writing(file.parent), whole(file) as partial, zipfile.ZipFile(partial, "w") as stored:
        for name, value in arrays.items():
            with stored.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, value, allow_pickle=False)


def read_facts(file: Path) -> Mapping[str, NDArray[Any]]:
    """What `write_facts` wrote; large arrays stay in the file and are read where they are looked at."""
    with zipfile.ZipFile(file) as stored:
        return {entry.filename.removesuffix(".npy"): _array(file, entry) for entry in stored.infolist()}


def _array(file: Path, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """An array of an npz file, in which each lies as it is after the name of its entry."""
    import numpy as np

    with file.open("rb") as stream:
        stream.seek(entry.header_offset + 26)
        name, more = struct.unpack("<HH", stream.read(4))
        stream.seek(name + more, io.SEEK_CUR)
        if entry.file_size < LARGE:
            found: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            return found
        np.lib.format.read_magic(stream)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        return np.memmap(file, dtype, "r", stream.tell(), shape, "F" if fortran else "C")

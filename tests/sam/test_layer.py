"""The built layers: compiled ahead of time, for the right processor, with what functions import and little else."""

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.build import BuildError, build
from local.deployment import PROCESSORS
from local.ministack import ROOT
from tests.benchmarks.cold_start.measure import FUNCTIONS, LAYERS, import_seconds, sizes

pytestmark = pytest.mark.timeout(600)  # sam build from nothing

BUILT = ROOT / ".aws-sam" / "build"
MACHINES = {"x86_64": b"\x3e\x00", "arm64": b"\xb7\x00"}  # e_machine of an ELF header, little endian
PYTHON = str(ROOT / ".venv-ministack" / "bin" / "python")


@pytest.fixture(scope="module", autouse=True)
def built() -> Iterator[None]:
    try:
        build()
    except BuildError as error:
        if error.reason == "failed":
            raise
        pytest.skip(str(error))
    yield


@pytest.mark.parametrize("processor", LAYERS)
def test_native_modules_are_for_its_processor(processor: str) -> None:
    modules = list((BUILT / LAYERS[processor]).rglob("*.so"))
    assert modules
    for module in modules:
        header = module.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert header[18:20] == MACHINES[processor], module


@pytest.mark.parametrize("layer", LAYERS.values())
def test_every_module_has_bytecode_that_is_taken_unchecked(layer: str) -> None:
    sources = list((BUILT / layer).rglob("*.py"))
    assert len(sources) > 300
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00", source  # PEP 552: hash-based, unchecked


@pytest.mark.parametrize("layer", LAYERS.values())
def test_it_carries_the_sources_and_no_boto3_and_no_command_line(layer: str, tmp_path: Path) -> None:
    carried = {path.name for path in (BUILT / layer / "python").iterdir()}
    assert carried >= {"broadsheet", "sources.yaml"}
    assert not carried & {"boto3", "botocore", "s3transfer", "click", "bin"}
    assert not (BUILT / layer / "python" / "broadsheet" / "cli").exists()
    unpacked, zipped = sizes(BUILT / layer, tmp_path)
    assert unpacked < 60
    assert zipped < 20


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_imports_with_its_layer_and_boto3_alone(function: str) -> None:
    assert import_seconds(PYTHON, function, BUILT / LAYERS[PROCESSORS[platform.machine()]], runs=1) > 0

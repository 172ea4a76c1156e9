"""What can go wrong on the way in: each refusal says what to do."""

from __future__ import annotations

import pytest
import xarray as xr

from tests.results.folders import snapshot
from tests.results.records import training_record
from throughtime.results import ResultsError, formats, load_tree, run_tree, save


def test_missing_file_names_near_ones(small, tmp_path):
    save(small, tmp_path / "cue-set-go.nc")
    (tmp_path / "cue-set-go.txt").write_text("")
    with pytest.raises(ResultsError, match=r"there is no .*did you mean cue-set-go\.nc\?$"):
        load_tree(tmp_path / "cue-setgo.nc")
    with pytest.raises(ResultsError, match=r"the folder holds cue-set-go\.nc\.$"):
        load_tree(tmp_path / "q.zarr")
    with pytest.raises(ResultsError, match="nor a folder"):
        load_tree(tmp_path / "nowhere" / "run.nc")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsError, match="the folder holds no results"):
        load_tree(tmp_path / "empty" / "run.nc")


def test_unknown_suffix(small, tmp_path):
    for action in (load_tree, lambda path: save(small, path)):
        with pytest.raises(ResultsError, match=r"suffix '.h5'; use .nc for netCDF4 or .zarr"):
            action(tmp_path / "run.h5")
        with pytest.raises(ResultsError, match="suffix ''"):
            action(tmp_path / "run")


def test_file_that_is_not_hdf5(tmp_path):
    path = tmp_path / "run.nc"
    for content in (b"", b"seed,loss\n", b"CDF\x01"):
        path.write_bytes(content)
        with pytest.raises(ResultsError, match=r"no results file: it is not netCDF4 \(HDF5\)"):
            load_tree(path)


def test_folder_and_file_taken_for_the_other_format(small, tmp_path):
    save(small, tmp_path / "a.nc").rename(tmp_path / "a.zarr")
    with pytest.raises(ResultsError, match="it is not a folder"):
        load_tree(tmp_path / "a.zarr")
    save(small, tmp_path / "b.zarr").rename(tmp_path / "b.nc")
    with pytest.raises(ResultsError, match=r"it is a folder; a zarr folder has the suffix \.zarr"):
        load_tree(tmp_path / "b.nc")
    (tmp_path / "c.zarr").mkdir()
    with pytest.raises(ResultsError, match=r"holds no zarr\.json"):
        load_tree(tmp_path / "c.zarr")


@pytest.mark.parametrize("attrs", [{}, {"schema_name": "other"}, {"schema_name": "throughtime"}])
def test_file_of_the_format_without_our_schema(attrs, suffix, tmp_path):
    path = tmp_path / f"run.{suffix}"
    formats.LAYOUTS[path.suffix].write(xr.DataTree(xr.Dataset(attrs=attrs)), path)
    with pytest.raises(ResultsError, match=r"no results file: its schema_name is .*xarray\.open_datatree"):
        load_tree(path)


def test_newer_schema(small, suffix, tmp_path):
    path = tmp_path / f"run.{suffix}"
    small.attrs.update(schema_version=2, creation_library_version="9.9")
    formats.LAYOUTS[path.suffix].write(small, path)
    before = snapshot(path)
    with pytest.raises(ResultsError, match=r"version 2, newer than the 1 .*upgrade throughtime .*9\.9"):
        load_tree(path)
    with pytest.raises(ResultsError, match="not replaced"):
        save(run_tree(training_record()), path, overwrite=True)
    assert snapshot(path) == before


def test_damaged_netcdf(small, tmp_path):
    path = save(small, tmp_path / "run.nc")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ResultsError, match="it is damaged or no results file"):
        load_tree(path)


def test_damaged_zarr(small, tmp_path):
    path = save(small, tmp_path / "run.zarr")
    (path / "training" / "loss" / "zarr.json").write_text("{")
    with pytest.raises(ResultsError, match="it is damaged or no results file"):
        load_tree(path)

import json
from pathlib import Path

from akita_bayes import regions
from akita_bayes.data.map_files import higlass_view

SIZES = {"chr1": 1000, "chr2": 500}


def test_the_view_opens_at_the_region(tmp_path):
    maps = [
        higlass_view.MapTrack(Path("a.mcool"), "a, ln(O/E)", Path("a.insulation.bw"), True),
        higlass_view.MapTrack(Path("a.sd.mcool"), "a.sd", None, False),
    ]
    path = higlass_view.write(
        tmp_path, maps, chrom_sizes=SIZES, region=regions.Region("chr2", 100, 300), assembly="toy"
    )
    assert (tmp_path / "chrom.sizes").read_text() == "chr1\t1000\nchr2\t500\n"
    view = json.loads(path.read_text())
    first, second = view["views"]
    # Coordinates of HiGlass run over all chromosomes: chr2 begins at 1,000.
    assert first["initialXDomain"] == second["initialYDomain"] == [1100, 1300]
    uids = [
        [track["tilesetUid"] for track in shown["tracks"]["top"]]
        + [track["tilesetUid"] for track in shown["tracks"]["center"][0]["contents"]]
        for shown in (first, second)
    ]
    assert uids == [
        ["chrom.sizes", "a.insulation.bw", "a.mcool"],
        ["chrom.sizes", "a.sd.mcool"],
    ]
    assert first["layout"]["x"] + first["layout"]["w"] == second["layout"]["x"]
    identifiers = [track["uid"] for shown in view["views"] for track in shown["tracks"]["top"]]
    assert len(set(identifiers)) == len(identifiers)
    assert view["zoomLocks"]["locksByViewUid"] == {"view0": "all", "view1": "all"}

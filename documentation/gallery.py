"""Writes docs/gallery.md and the figures that it shows.

The page names the command of every figure, and the tests run them. This draws the figures again:

    python -m documentation.gallery FOLDER

where FOLDER has sacCer3.2bit and the cooler of `akita_download yeast`.
"""

import importlib
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images" / "gallery"
COOLER = "scer_w303_g1_2kb_SRR8769554.cool"

_OPENING = f"""\
# Gallery

<!-- generated: python -m documentation -->

Each figure stands below the command that writes it. All commands that draw have `--format png`,
`pdf` or `svg`. In Python, one function of `akita_bayes.plots` returns each figure
as a matplotlib `Figure`. Colours can be distinguished with any common colour blindness, and a
target has the same colour in every figure and in the
[report](report.md). The text below a figure says what its grey pixels are.

The example is budding yeast: `{COOLER}` is the map of `akita_download yeast`, and `sacCer3.2bit`
the genome. `RUN` was trained for two epochs only, to show the
figures of a training; [a real training](real.md).

```bash
printf 'identifier\\tfile\\nW303\\t{COOLER}\\n' > targets.txt
printf 'chrII\\t274426\\t275527\\tGAL7\\t0\\t-\\n' > genes.bed
printf 'chrII\\t276252\\t278352\\tGAL10\\t0\\t-\\n' >> genes.bed
printf 'chrII\\t279020\\t280607\\tGAL1\\t0\\t+\\n' >> genes.bed
```

"""


class Step(NamedTuple):
    """Holds one command and the figures that it writes.

    Attributes:
        title: Heading on the page.
        command: Command line.
        figures: Name in the gallery -> path of the file that the command writes.
        text: What to see.
    """

    title: str
    command: str
    figures: dict[str, str]
    text: str


STEPS = (
    Step(
        "Windows of a data directory",
        "akita_data sacCer3.2bit targets.txt -o DATA --preset akita_yeast --test chrII "
        "--valid chrIII --stride_train 64000 --plot 2",
        {"windows": "DATA/windows.png"},
        "The target above the diagonal, its mask below; then balanced contacts and the target by "
        "distance.",
    ),
    Step(
        "A predicted map",
        "akita_predict akita_yeast chrII:450,000-514,000 -f sacCer3.2bit -o predicted --plot "
        "--draws 8",
        {"prediction": "predicted/chrII_458000_506000.png"},
        "Left the map, right how unsure the model is of each pixel.",
    ),
    Step(
        "A deletion",
        "akita_scd akita_yeast chrII:480,000-482,000:DEL -f sacCer3.2bit -o deletion -m --draws 8",
        {"variant": "deletion/maps/001_row0_target0.png"},
        "Both alleles in one frame, their difference, and how unsure the difference is; below, "
        "insulation of both alleles, with the deleted bases marked.",
    ),
    Step(
        "A deletion with genes",
        "akita_scd akita_yeast chrII:274,000-281,000:DEL -f sacCer3.2bit -o genes -m "
        "--genes genes.bed",
        {"genes": "genes/maps/001_row0_target0.png"},
        "The deleted bins are grey, since the alleles share no contact there. Genes that have no "
        "room are counted (+n not shown).",
    ),
    Step(
        "An edit without effect",
        "akita_scd akita_yeast chrII:481002:T:A -f sacCer3.2bit -o neutral -m",
        {"neutral": "neutral/maps/001_row0_target0.png"},
        "The scale of a difference ends at 5 % of that of the maps or more, so this difference "
        "looks empty; the label of the scale says how large it is at most.",
    ),
    Step(
        "Every change of every base",
        "akita_sat akita_yeast chrII:480,000-480,060 -f sacCer3.2bit -o sat",
        {"saturation": "sat/logos/chrII_480000-480060_ism_SCD_t0.png"},
        "Height of a letter: mean effect of its three changes. Below: each change.",
    ),
    Step(
        "A training",
        "akita_train akita_yeast DATA -o RUN --epochs 2",
        {"training": "RUN/history.png"},
        "Loss, correlation and learning rate by epoch.",
    ),
    Step(
        "Accuracy",
        "akita_test akita_yeast DATA -o test",
        {
            "accuracy_maps": "test/maps.png",
            "accuracy_distance": "test/by_distance.png",
            "accuracy_scatter": "test/scatter.png",
        },
        "Windows of the test chromosome, measured and predicted; correlation by distance; all "
        "pixels.",
    ),
    Step(
        "Calibration",
        "akita_calibrate RUN DATA --draws 4",
        {
            "calibration": "RUN/calibration/reliability.png",
            "calibration_window": "RUN/calibration/sd_beside_error.png",
        },
        "How often intervals hold what was measured; and one window with its error beside what "
        "the model said about it.",
    ),
)

_PROMOTERS = """\
## Promoters

`mpra_fit`, `mpra_posterior` and `mpra_compare` draw these; [the tutorial](lac.md) has the commands.

![Energy logos, occupancy of states, p(bin) and intervals](images/lac_summary.png)

![Traces and marginals of the chains of a posterior](images/lac_chains.png)

![Ranges of constants over sets of assumptions](images/lac_ranges.png)
"""


def page() -> str:
    """Returns the text of the page."""
    parts = [_OPENING]
    for step in STEPS:
        parts.append(f"## {step.title}\n\n```bash\n{step.command}\n```\n\n")
        parts += [f"![{step.title}](images/gallery/{name}.png)\n\n" for name in step.figures]
        parts.append(f"{step.text}\n\n")
    return "".join(parts) + _PROMOTERS


def draw(data: Path, out_dir: Path) -> None:
    """Runs the commands of the page in a temporary folder, and copies their figures.

    Args:
        data: Folder with the genome and the cooler.
        out_dir: Folder of the figures.
    """
    setup = _OPENING.partition("```bash\n")[2].partition("```")[0]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in ("sacCer3.2bit", COOLER):
            Path(name).symlink_to(data.resolve() / name)
        status = os.system(setup)
        for step in STEPS:
            name, *words = shlex.split(step.command)
            module = importlib.import_module(f"akita_bayes.cli.{name}")
            status = status or module.main(words)
        if status:
            sys.exit("a command failed")
        out_dir.mkdir(parents=True, exist_ok=True)
        for step in STEPS:
            for name, path in step.figures.items():
                shutil.copy(path, out_dir / f"{name}.png")
        os.chdir(ROOT)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), IMAGES)

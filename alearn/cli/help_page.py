"""`alearn --help`: the commands, the presets, and the config that the other words of the command line give.

Hydra would print such a page, too, but takes half a second longer: it copies its list of all configs for each group.
"""

from collections.abc import Sequence

from omegaconf import OmegaConf

from alearn.config import hydra_front, presets

COMMANDS = """\
alearn labels an image data set with a small share of the hand labels.

Label a data set:
  alearn [KEY=VALUE ...]         run one trial, for example: alearn trial=t3 seed=1
  alearn -m [KEY=A,B ...]        run a sweep, for example: alearn -m policy.threshold=0.99,0.999 seed=0,1,2
  alearn resume=DIR              go on with an interrupted trial

Before and after (alearn COMMAND --help lists the options of each):
  alearn example DIR             write a folder of images to try alearn on
  alearn features KEY=VALUE ...  compute the features of a pretrained model ahead of a trial
  alearn report DIR ...          write the report.html of trials and sweeps
  alearn table DIR ...           print the table of the results of a sweep
  alearn predict DIR IMAGE ...   label new images with the model of a finished trial
  alearn export DIR --format F   write the labels for other programs
  alearn plan ...                show what a certificate would cost
  alearn audit LABELS ...        certify finished labels that any tool made
  alearn verify DIR              check a certificate against the files beside it

Exit codes:
  0     done
  1     an error, with one message on standard error
  2     a wrong command line
  3     waiting for answers of people, or for a seed: then run the same again
  130   interrupted (Ctrl-C)
  143   terminated (SIGTERM)
"""
GROUPS = ("data", "experiment", "model", "oracle", "policy", "train", "trial")


def text(overrides: Sequence[str]) -> str:
    """Return the page. Raise AlearnError or an exception of Hydra if an override is wrong."""
    groups = [f"{group}: {', '.join(presets.names(group))}" for group in GROUPS]
    config = OmegaConf.to_yaml(hydra_front.composed(*overrides))
    parts = [
        COMMANDS,
        "== Presets (choose with GROUP=NAME) ==",
        *groups,
        "\n== Config (change anything with KEY=VALUE) ==",
        config,
        "Hydra's own flags: alearn --hydra-help",
    ]
    return "\n".join(parts)

"""`alearn audit`: certify finished labels from any tool."""

import shlex
import sys
from argparse import Namespace
from functools import partial

from alearn.audit.rules import Terms
from alearn.audit.seeds import check_seed
from alearn.audit.verify import LABELS, NAME
from alearn.cli.command_line import Parser, add_target, filled, fraction, path, share, whole
from alearn.cli.exit_codes import DONE, WAITING

COLUMNS = "id", "label", "confidence", "source"
OPTIONAL = "confidence", "source"


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        "audit",
        "Certify that at most a stated share of finished labels is wrong. Run this command, fill in the sheet that it "
        "writes, and run it again, until it ends with a certificate.",
        f"The exit code is {DONE} once the certificate is there, and {WAITING} while the audit waits for answers or a "
        "seed.",
    )
    parser.add_argument(
        "labels",
        type=path,
        metavar="LABELS",
        help="a CSV or Parquet file with one line per item, or a folder of class folders",
    )
    add_target(parser)
    parser.add_argument(
        "--expected-errors",
        type=whole(0),
        metavar="N",
        help="how many of the labels you expect to be wrong; decides only what the audit costs",
    )
    parser.add_argument(
        "--cut",
        type=share,
        metavar="SHARE",
        help="audit only labels whose confidence is higher; you label the others (default: audit all)",
    )
    parser.add_argument(
        "--answers",
        type=int,
        choices=(1, 2),
        default=1,
        help="2 asks a second time if the answer differs from the label (default: %(default)s)",
    )
    parser.add_argument(
        "--repeat",
        type=fraction,
        default=0.0,
        metavar="SHARE",
        help="ask this share of the checked items a second time, to measure how often you err (default: none)",
    )
    parser.add_argument(
        "--repeatable", action="store_true", help="leave risk for audits of later versions of the labels (see --after)"
    )
    parser.add_argument(
        "--after", type=path, metavar="DIR", help="the --repeatable audit of the version before this one"
    )
    parser.add_argument("--out", type=path, metavar="DIR", help="the folder of the audit (default: LABELS.audit)")
    parser.add_argument(
        "--seed",
        metavar="TEXT",
        help="the seed of the draw, which nobody may know before the labels are frozen; 'wait' freezes the labels and "
        "shows a SHA-256, which you publish before you choose the seed (default: a random seed)",
    )
    for key in COLUMNS:
        if_any = ", if there is one" if key in OPTIONAL else ""
        parser.add_argument(
            f"--{key}-column",
            type=filled,
            default=None if key in OPTIONAL else key,
            metavar="NAME",
            help=f"the column of the file with the {key} (default: {key}{if_any})",
        )
    parser.add_argument(
        "--classes", default="", metavar="A,B,...", help="classes that an answer may name besides those in LABELS"
    )
    return parser


def run(args: Namespace) -> int:
    """Take the audit as far as the answers allow. If it has to wait, `WaitingError` is raised."""
    from alearn.audit import finished_audit
    from alearn.audit.audit_request import Request
    from alearn.files.spelling import tidy

    if args.seed is not None:
        check_seed(args.seed, "--seed")
    labels = args.labels.resolve()
    folder = args.out or labels.with_name(f"{labels.name}.audit")
    request = Request(
        labels=labels,
        out=folder,
        terms=Terms(
            target_error=args.target_error,
            risk=args.risk,
            scope=args.scope,
            kind=args.kind,
            answers=args.answers,
            cut=args.cut,
            seed=args.seed,
            repeat=args.repeat,
        ),
        columns={key: name for key in COLUMNS if (name := getattr(args, f"{key}_column")) is not None},
        classes={tidy(name) for name in args.classes.split(",") if name.strip()},
        repeatable=args.repeatable,
        after=args.after,
        expected_errors=args.expected_errors,
    )
    certificate = finished_audit.advance(request, partial(print, flush=True), _warn)
    check = f"alearn verify {shlex.quote(str(folder))}"
    print(f"{certificate['statement']}\nlabels: {folder / LABELS}\nproof: {folder / NAME}; check it: {check}")
    return DONE


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)

"""`alearn plan`: show how many labels a certificate would cost."""

from argparse import Namespace

from alearn.audit import bounds
from alearn.audit.cost_table import cost_table
from alearn.audit.rules import Terms
from alearn.cli.command_line import Parser, add_target, whole
from alearn.cli.exit_codes import DONE, UsageError


def parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser("plan", "Show how many labels a certificate would cost, before you label anything.")
    parser.add_argument(
        "--items", type=whole(1), required=True, metavar="N", help="number of labels to audit: those that no human gave"
    )
    parser.add_argument(
        "--total",
        type=whole(1),
        metavar="N",
        help="number of labels of the whole data set, with those that are not audited: a human's, and those below a "
        "--cut (default: --items)",
    )
    add_target(parser)
    parser.add_argument(
        "--expected-errors",
        type=float,
        metavar="N",
        help="number of them that you expect to be wrong (default: half of those that may be wrong)",
    )
    parser.add_argument(
        "--classes",
        type=whole(1),
        default=1,
        metavar="N",
        help="number of classes, which the plan assumes to have equal sizes; only with --scope class",
    )
    parser.add_argument("--budget", type=whole(0), metavar="N", help="the most labels that the audit may check")
    return parser


def run(args: Namespace) -> int:
    """Print the table of plans."""
    if args.classes > args.items or (args.classes > 1) != (args.scope == "class"):
        raise UsageError(
            f"--classes {args.classes}: must be from 2 to the {args.items:,} items, and only with --scope class"
        )
    total = args.items if args.total is None else args.total
    if total < args.items:
        raise UsageError(f"--total {total:,}: must be at least the {args.items:,} items")
    errors = args.expected_errors
    if errors is None:
        errors = min(args.items, bounds.allowed(total, args.target_error)) / 2
    if not 0 <= errors <= args.items / 2:
        raise UsageError(f"--expected-errors {errors:g}: must be from 0 to half of the {args.items:,} items")
    terms = Terms(args.target_error, args.risk, args.scope, args.kind)
    print(cost_table(args.items, terms, errors, args.budget, args.classes, total))
    return DONE

"""Runs benchmarks, one after the other, and writes their figures in one shape.

python -m benchmarks all|NAME... [--quick] [--json FILE]
"""

import argparse
import sys
from pathlib import Path

from benchmarks.programs import PROGRAMS, Failed, Row, run


def main(arguments: list[str] | None = None) -> int:
    """Run what was named; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", choices=["all", *(each.name for each in PROGRAMS)])
    parser.add_argument("--quick", action="store_true", help="only show that they run; the figures mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, one JSON object a line")
    options = parser.parse_args(arguments)
    chosen = [each for each in PROGRAMS if each.name in options.names or "all" in options.names]
    failed = 0
    if options.json is not None:
        options.json.write_text("")
    for program in chosen:
        print(f"== {program.name}", flush=True)
        try:
            rows = run(program, list(program.quick) if options.quick else [])
        except Failed as error:
            failed += 1
            print(error, file=sys.stderr, flush=True)
            continue
        show(rows)
        if options.json is not None:
            with options.json.open("a") as file:
                file.writelines(f"{row.line()}\n" for row in rows)
    print(f"{len(chosen) - failed} of {len(chosen)} benchmarks ran")
    return 1 if failed else 0


def show(rows: list[Row]) -> None:
    """As a table."""
    for row in rows:
        print(f"{row.case:<48} {row.figure:<36} {row.value:12.4g}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

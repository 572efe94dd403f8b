"""python3 check.py FOLDER [PROGRAM…]: runs every program in it, or these, against
its own kind and against pyzmq."""

import contextlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from checking import equal, start_clock
from checks import chapter1, chapter2, chapter3, seeds, tools

CHECKS = {
    "seeds": seeds,
    "chapter1": chapter1,
    "chapter2": chapter2,
    "chapter3": chapter3,
}


def helps(program):
    """Each has examples of itself in `--help`."""
    text = "\n".join(tools.run(f"{program} --help"))
    equal("Examples:" in text and f"  {program}" in text, True)


def main():
    checked = 0
    for source in sorted(HERE.glob("src/*/*.rs")):
        program = source.stem
        if sys.argv[2:] and program not in sys.argv[2:]:
            continue
        start_clock()
        try:
            with contextlib.ExitStack() as stack:
                # Without a check of its own, a program is an error here.
                getattr(CHECKS[source.parent.name], program)(stack)
            helps(program)
        except BaseException:
            print(f"in {program}:")
            raise
        checked += 1
    print(f"{checked} programs spoke to each other and to pyzmq")


main()

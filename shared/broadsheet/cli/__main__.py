"""`python -m broadsheet.cli`, for where its script isn't on the PATH."""

from broadsheet.cli import main

main(prog_name="broadsheet")

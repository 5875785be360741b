#!/bin/sh
# dbt runs SQL only, so a command cannot be a hook of it: build the table, then score it. A build that fails scores nothing.
set -e
cd "$(dirname "$0")"
day=${1:-$(date +%F)}
dbt build --select visits_of_the_day --vars "{day: $day}"
exec anomalo run job.toml --date "$day" --resume

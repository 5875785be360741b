#!/bin/sh
# Appends a line to a file of tickets; the payload is on standard input, its main facts are in the environment.
payload=$(cat)
echo "$ANOMALO_RUN: $ANOMALO_ALERTS of $ANOMALO_ROWS rows of $ANOMALO_SOURCE" >> tickets.txt
printf '%s\n' "$payload" > latest-ticket.json

#!/usr/bin/env bash
# Runs a harness behind mitmproxy and gates what it sent. Needs mitmdump (pip install mitmproxy) and cachelens.
#
#   docs/ci/capture.sh BASELINE COMMAND...
#
# UPSTREAM is where requests go on to, such as https://api.openai.com or http://localhost:30000. COMMAND is told where
# to send them by OPENAI_BASE_URL and ANTHROPIC_BASE_URL; other harnesses have a setting of their own.
set -euo pipefail

baseline=$1
shift
upstream=${UPSTREAM:?where requests go on to, such as https://api.openai.com}
port=${PORT:-8899}
flows=${FLOWS:-run.flows}

mitmdump --quiet --mode "reverse:$upstream" --listen-host 127.0.0.1 --listen-port "$port" --save-stream-file "$flows" &
proxy=$!
trap 'kill "$proxy" 2>/dev/null || true' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$proxy" # it did not start
    sleep 0.1
done

OPENAI_BASE_URL="http://127.0.0.1:$port/v1" ANTHROPIC_BASE_URL="http://127.0.0.1:$port" "$@"

kill "$proxy"
wait "$proxy" || true
trap - EXIT
cachelens check "$flows" --baseline "$baseline" --max-regression 2pp --format "${FORMAT:-terminal}"

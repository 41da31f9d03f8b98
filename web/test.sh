#!/usr/bin/env bash
# Everything that is tested here: install, types, unit tests, the committed build, the page in a headless Chromium.
# Closes with "N passed, N failed"; exits with 1 where anything failed.
set -uo pipefail
cd "$(dirname "$0")"

passed=0
failed=0
step() { # NAME COMMAND...: a step counts as one test
  local name=$1
  shift
  echo "== $name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $name"; fi
}
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

chromium() {
  [ -n "${CHROMIUM:-}" ] && return
  [ -x /usr/bin/chromium ] && return
  local sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
}

command -v node >/dev/null || { echo "Node 20.19 or later is needed"; failed=1; finish; }
step "install" npm ci --no-audit --no-fund --loglevel=error
[ "$failed" -eq 0 ] || finish
step "types" npm run --silent types
step "committed build" npm run --silent check
step "chromium" chromium

report=$(mktemp)
trap 'rm -f "$report"' EXIT
echo "== unit and page tests"
npx --no-install vitest run --reporter=default --reporter=json --outputFile.json="$report"
status=$?
counts=$(node -e '
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
  const broken = testResults.filter(({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed")).length;
  console.log(numPassedTests, numFailedTests + broken);
' "$report" 2>/dev/null) || counts="0 1"
read -r p f <<<"$counts"
# A run that failed without a failed test has failed all the same; so has one without tests.
if { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; } || [ "$p" -eq 0 ]; then f=$((f + 1)); fi
passed=$((passed + p))
failed=$((failed + f))
finish

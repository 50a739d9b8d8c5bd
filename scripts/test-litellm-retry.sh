#!/usr/bin/env bash
# Drill: does the gateway retry, wait, time out and bench as the configuration says?
#
#   scripts/test-litellm-retry.sh
#   DRILL_TIMEOUT=2 scripts/test-litellm-retry.sh            the shipped 30 s timeout shortened, said in the output
#   LITELLM_URL=http://localhost:4000 LITELLM_MASTER_KEY=sk-… scripts/test-litellm-retry.sh
#
# Without LITELLM_URL it starts simulated providers and a gateway with the shipped configuration on free ports, and stops
# them at the end. Prints a line with the evidence for each check; exits 1 when one failed, 2 when it could not run.
# Takes about a minute, half of it for the timeout. See docs/guides/rehearse-an-outage.md.
. "$(dirname -- "${BASH_SOURCE[0]}")/drill.bash"

silent_429='{"status": 429, "retry_after": null}'

# Whether delay number $1 of the list $2 is between $3 and $4 seconds.
delay_within() {
  local delay
  delay=$(printf '%s' "$2" | cut -d ' ' -f "$1")
  [ -n "$delay" ] && at_least "$delay" "$3" && at_most "$delay" "$4"
}

rate_limited_with_others() {
  fresh
  break_it "$openai" '"429"'
  chat gpt-4
  at_once() { [ "$status" = 200 ] && [ "$model_id" = gpt-4-azure ] && [ "$(seen "$openai")" = 1 ] && at_most "$seconds" 1; }
  check '429 while another deployment is free: it answers at once, without a wait' \
    "$(evidence); OpenAI said $(statuses "$openai")" at_once
}

# Nothing else is left: claude-3-5-sonnet has one deployment and no fallbacks.
retries_with_backoff() {
  fresh
  break_it "$anthropic" "$silent_429" 3
  chat claude-3-5-sonnet
  local waits
  waits=$(delays "$anthropic")
  # 0.5, 1 and 2 s, each up to 0.75 s longer, and what an attempt itself takes.
  scheduled() {
    [ "$status" = 200 ] && [ "$retries" = 3 ] && [ "$(seen "$anthropic")" = 4 ] &&
      delay_within 1 "$waits" 0.45 1.6 && delay_within 2 "$waits" 0.95 2.1 && delay_within 3 "$waits" 1.95 3.1
  }
  check '429 with nothing else left: 3 retries, each after a longer wait' \
    "status $status, x-litellm-attempted-retries: $retries; waits of ${waits// / s, } s; Anthropic said $(statuses "$anthropic")" scheduled
}

retry_after_is_honoured() {
  fresh
  break_it "$anthropic" '{"status": 429, "retry_after": 2}' 1
  chat claude-3-5-sonnet
  local waits
  waits=$(delays "$anthropic")
  waited() { [ "$status" = 200 ] && [ "$(seen "$anthropic")" = 2 ] && delay_within 1 "$waits" 1.95 3.5; }
  check 'retry-after: 2 is waited for' "status $status; a wait of $waits s" waited
}

retries_end() {
  fresh
  break_it "$anthropic" "$silent_429"
  chat claude-3-5-sonnet
  local waited
  waited=$(delays "$anthropic" | awk '{ for (n = 1; n <= NF; n++) sum += $n } END { print sum }')
  ended() {
    [ "$status" = 429 ] && [ "$(seen "$anthropic")" = 4 ] && grep -q '"error"' "$folder/body" &&
      at_most "$seconds" "$(awk -v a="$waited" 'BEGIN { print a + 0.4 }')"
  }
  check 'after 3 retries the client gets the 429, with no wait after the last' \
    "status $status after $seconds s, of which $waited s between attempts, and $(seen "$anthropic") attempts: $(error_message)" ended
}

slow_upstream() {
  fresh
  break_it "$openai" '"stall"'
  local limit=$((timeout + 15))
  chat gpt-4
  timed_out() {
    [ "$status" = 200 ] && [ "$model_id" = gpt-4-azure ] && at_least "$seconds" "$timeout" && at_most "$seconds" $((timeout + 2))
  }
  check "a provider that never answers is given up after $timeout s, then Azure answers" "$(evidence)" timed_out
}

three_failures() {
  fresh
  break_it "$openai" '"500"'
  local before n
  for n in 1 2 3; do chat gpt-4; done
  before=$(seen "$openai")
  chat gpt-4
  benched() { [ "$before" = 3 ] && [ "$(seen "$openai")" = 3 ] && [ "$status" = 200 ] && [ "$model_id" = gpt-4-azure ] && at_most "$seconds" 1; }
  check 'after 3 failures the next request goes to the fallback at once' \
    "$(evidence); requests to OpenAI before: $before, after: $(seen "$openai")" benched
}

# Goes on where three_failures stopped: the primary is well again.
recovery() {
  local tries=0
  curl -fsS --max-time 5 -o /dev/null -X DELETE "$openai/_simulator/faults"
  until chat gpt-4 && [ "$model_id" = gpt-4-openai ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || break
    sleep 0.5
  done
  recovered() { [ "$status" = 200 ] && [ "$model_id" = gpt-4-openai ]; }
  check 'once its cooldown is over the primary answers again' "$(evidence), found after $tries more requests" recovered
}

printf 'Retry drill\n'
prepare
if can_break; then
  rate_limited_with_others
  retries_with_backoff
  retry_after_is_honoured
  retries_end
  three_failures
  recovery
  slow_upstream
else
  chat gpt-4
  check 'the gateway answers' "$(evidence)" test "$status" = 200
  skip 'retries, waits, timeouts and benching' \
    'the providers are not simulators (give SIMULATOR_OPENAI_URL, SIMULATOR_AZURE_URL and SIMULATOR_ANTHROPIC_URL)'
fi
finish

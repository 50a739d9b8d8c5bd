#!/usr/bin/env bash
# Drill: does the gateway go to the next provider when one fails?
#
#   scripts/test-litellm-fallback.sh
#   LITELLM_URL=http://localhost:4000 LITELLM_MASTER_KEY=sk-… scripts/test-litellm-fallback.sh
#
# Without LITELLM_URL it starts simulated providers and a gateway with the shipped configuration on free ports, and stops
# them at the end. Prints a line with the evidence for each check; exits 1 when one failed, 2 when it could not run.
# See docs/guides/rehearse-an-outage.md.
. "$(dirname -- "${BASH_SOURCE[0]}")/drill.bash"

answered_by() {
  local one
  [ "$status" = 200 ] || return 1
  for one in "$@"; do [ "$model_id" != "$one" ] || return 0; done
  return 1
}

primary_answers() {
  fresh
  chat gpt-4
  check 'primary answers' "$(evidence)" answered_by gpt-4-openai
}

# The same chain, forced by the request itself: works on any gateway, whatever its providers.
forced_fallback() {
  fresh
  chat gpt-4 '"mock_testing_fallbacks": true'
  check 'a fallback on request (mock_testing_fallbacks) is answered by another group' "$(evidence)" \
    answered_by fallback-azure fallback-anthropic
}

primary_key_invalid() {
  fresh
  break_it "$openai" '"invalid-key"'
  chat gpt-4
  check "primary's key is invalid, Azure answers" "$(evidence); OpenAI said $(statuses "$openai")" \
    answered_by gpt-4-azure fallback-azure
  check 'the switch takes less than a second' "$seconds s" at_most "$seconds" 1
}

two_keys_invalid() {
  fresh
  break_it "$openai" '"invalid-key"'
  break_it "$azure" '"invalid-key"'
  chat gpt-4
  check 'both keys are invalid, Anthropic answers' \
    "$(evidence); OpenAI said $(statuses "$openai"), Azure said $(statuses "$azure")" answered_by gpt-4-anthropic fallback-anthropic
}

all_keys_invalid() {
  fresh
  break_it "$openai" '"invalid-key"'
  break_it "$azure" '"invalid-key"'
  break_it "$anthropic" '"invalid-key"'
  chat gpt-4
  all_were_tried() {
    [ "$status" -ge 400 ] && grep -q '"error"' "$folder/body" && [ "$(seen "$openai")" -ge 1 ] &&
      [ "$(seen "$azure")" -ge 1 ] && [ "$(seen "$anthropic")" -ge 1 ]
  }
  check 'nothing is left, the error says what was tried' "status $status: $(error_message)" all_were_tried
}

# A fault of the primary that must send the request to Azure: switches NAME FAULT
switches() {
  fresh
  break_it "$openai" "$2"
  chat gpt-4
  check "$1, Azure answers" "$(evidence)" answered_by gpt-4-azure fallback-azure
}

stream_before_content() {
  fresh
  break_it "$openai" '"reset@events:1"'
  chat gpt-4 '"stream": true'
  whole_from_azure() {
    answered_by gpt-4-azure fallback-azure && [ "$(grep -c '^data: \[DONE\]' "$folder/body")" = 1 ] && ! grep -q '"error"' "$folder/body"
  }
  check 'a stream that dies before its first content comes whole from Azure' \
    "$(evidence), $(grep -c '^data: ' "$folder/body") events, [DONE] at the end" whole_from_azure
}

stream_after_content() {
  fresh
  break_it "$openai" '"reset@events:4"'
  chat gpt-4 '"stream": true'
  ends_honestly() { grep -q '"error"' "$folder/body" && ! grep -q '\[DONE\]' "$folder/body" && [ "$(seen "$azure")" = 0 ]; }
  check 'a stream that dies later ends with an error event, without [DONE], and is not repeated elsewhere' \
    "$(grep '"error"' "$folder/body" | cut -c1-160)" ends_honestly
}

callers_mistake() {
  fresh
  break_it "$openai" '"invalid-request"'
  chat gpt-4
  stops_there() { [ "$status" = 400 ] && [ "$(seen "$openai")" = 1 ] && [ "$(seen "$azure")" = 0 ]; }
  check "a caller's mistake (400) is returned at once and tried nowhere else" \
    "status $status after $seconds s; requests: OpenAI $(seen "$openai"), Azure $(seen "$azure")" stops_there
}

printf 'Fallback drill\n'
prepare
primary_answers
forced_fallback
if can_break; then
  primary_key_invalid
  two_keys_invalid
  all_keys_invalid
  switches 'primary is rate limited (429)' '"429"'
  switches 'primary fails (500)' '"500"'
  switches 'primary is overloaded (503)' '"503"'
  switches "primary's model is missing (404)" '"404"'
  switches 'primary resets the connection' '"reset@0"'
  switches 'primary closes without an answer' '"close"'
  callers_mistake
  stream_before_content
  stream_after_content
  # Last, as the simulator that refuses cannot be told to stop it.
  switches 'primary refuses connections' '"refuse@20000"'
else
  skip 'providers that fail' 'they are not simulators (give SIMULATOR_OPENAI_URL, SIMULATOR_AZURE_URL and SIMULATOR_ANTHROPIC_URL)'
fi
finish

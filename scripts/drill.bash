# Sourced by the drills: starts three simulated providers and a gateway with the shipped configuration, sends requests,
# breaks providers, and counts what held. Needs bash (3.2 is enough), curl and the usual awk, sed and grep.
#
# LITELLM_URL and LITELLM_MASTER_KEY drill a gateway that runs already. Providers can then be broken only if they are
# simulators whose addresses are given: SIMULATOR_OPENAI_URL, SIMULATOR_AZURE_URL, SIMULATOR_ANTHROPIC_URL.

set -u
root=$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/tollgate-drill.XXXXXX")
config=$root/config/litellm-config.yaml
shipped_timeout=30
timeout=${DRILL_TIMEOUT:-$shipped_timeout}
children=()
gateway_pid=
failures=0
checks=0
skipped=0
is_ours=yes

# Ends processes of ours by their ids, the hard way after five seconds.
end_processes() {
  local pid tries=0
  for pid in "$@"; do kill "$pid" 2>/dev/null; done
  for pid in "$@"; do
    while kill -0 "$pid" 2>/dev/null; do
      if [ "$tries" -ge 50 ]; then
        kill -9 "$pid" 2>/dev/null
        break
      fi
      sleep 0.1
      tries=$((tries + 1))
    done
    wait "$pid" 2>/dev/null
  done
}

stop_all() {
  end_processes ${children[@]+"${children[@]}"} $gateway_pid
  rm -rf "$folder"
}
trap stop_all EXIT
trap 'exit 130' INT TERM HUP

die() { printf 'drill: %s\n' "$*" >&2; exit 2; }

# --- What runs ------------------------------------------------------------------------------------------------------

# Waits until a log names the address that is served, and prints it; ten seconds at most.
address_in() {
  local log=$1 pid=$2 url tries=0
  while [ "$tries" -lt 100 ]; do
    url=$(sed -n 's/.*\(http:\/\/127\.0\.0\.1:[0-9][0-9]*\).*/\1/p' "$log" | head -n 1)
    if [ -n "$url" ]; then printf '%s' "$url"; return 0; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
    tries=$((tries + 1))
  done
  cat "$log" >&2
  return 1
}

# Starts a simulated provider; sets the variable named by $1 to its address.
start_simulator() {
  local variable=$1 name=$2 url
  # The file must be there before anybody looks into it: the simulator may take its time.
  : > "$folder/$name.log"
  "$root/bin/tollgate" simulate --port 0 >> "$folder/$name.log" 2>&1 &
  children+=($!)
  url=$(address_in "$folder/$name.log" $!) || die "the simulated $name did not start"
  printf -v "$variable" '%s' "$url"
}

start_gateway() {
  : > "$folder/gateway.log"
  env -i PATH="$PATH" HOME="$folder" TOLLGATE_DEMO=false \
    LITELLM_MASTER_KEY="$key" OPENAI_API_KEY=sk-drill-openai AZURE_API_KEY=drill-azure ANTHROPIC_API_KEY=drill-anthropic \
    OPENAI_BASE_URL="$openai/v1" AZURE_API_BASE="$azure" ANTHROPIC_API_BASE="$anthropic" \
    "$root/bin/tollgate" --config "$config" --host 127.0.0.1 --port 0 --data-dir "$folder/data" \
    >> "$folder/gateway.log" 2>&1 &
  gateway_pid=$!
  gateway=$(address_in "$folder/gateway.log" "$gateway_pid") || die 'the gateway did not start'
  local tries=0
  until curl -fsS --max-time 2 -o /dev/null "$gateway/health/readiness" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || die 'the gateway did not get ready'
    sleep 0.1
  done
}

stop_gateway() {
  [ -n "$gateway_pid" ] || return 0
  end_processes "$gateway_pid"
  gateway_pid=
}

# The shipped configuration with another timeout, when one is asked for.
shorten_timeout() {
  [ "$timeout" != "$shipped_timeout" ] || return 0
  sed "s/^\([[:space:]]*timeout:\) $shipped_timeout\$/\1 $timeout/" "$config" > "$folder/config.yaml"
  [ "$(diff "$config" "$folder/config.yaml" | grep -c '^>')" = 1 ] || die "no line 'timeout: $shipped_timeout' in $config"
  config=$folder/config.yaml
  note "timeout shortened from the shipped $shipped_timeout s to $timeout s for this run (DRILL_TIMEOUT)"
}

# Starts everything, or takes what the environment names.
prepare() {
  if [ -n "${LITELLM_URL:-}" ]; then
    is_ours=no
    gateway=${LITELLM_URL%/}
    key=${LITELLM_MASTER_KEY:-}
    [ -n "$key" ] || die 'LITELLM_URL is given, so LITELLM_MASTER_KEY is needed too'
    openai=${SIMULATOR_OPENAI_URL:-} azure=${SIMULATOR_AZURE_URL:-} anthropic=${SIMULATOR_ANTHROPIC_URL:-}
    note "gateway: $gateway (already running)"
    curl -fsS --max-time 5 -o /dev/null "$gateway/health/liveliness" || die "no gateway answers at $gateway"
    return
  fi
  key=sk-drill-$$-$RANDOM$RANDOM
  start_simulator openai OpenAI
  start_simulator azure Azure
  start_simulator anthropic Anthropic
  note "simulated providers: OpenAI $openai, Azure $azure, Anthropic $anthropic"
  note 'gateway: started by this script with config/litellm-config.yaml'
  shorten_timeout
  start_gateway
}

can_break() { [ -n "$openai" ] && [ -n "$azure" ] && [ -n "$anthropic" ]; }

# A gateway that has forgotten every failure, and providers without faults.
fresh() {
  can_break || return 0
  local provider
  for provider in "$openai" "$azure" "$anthropic"; do
    curl -fsS --max-time 5 -o /dev/null -X DELETE "$provider/_simulator" || die "no simulator answers at $provider"
  done
  if [ "$is_ours" = yes ]; then
    stop_gateway
    start_gateway
    return
  fi
  local model tries
  for model in gpt-4-openai gpt-4-azure gpt-4-anthropic fallback-azure fallback-anthropic; do
    tries=0
    until chat "$model" && [ "$status" = 200 ]; do
      tries=$((tries + 1))
      [ "$tries" -lt 60 ] || die "$model did not come back within a minute"
      sleep 1
    done
  done
  for provider in "$openai" "$azure" "$anthropic"; do curl -fsS -o /dev/null -X DELETE "$provider/_simulator"; done
}

# --- What is asked --------------------------------------------------------------------------------------------------

# Harms a provider from now on: break_it ADDRESS FAULT [TIMES]
break_it() {
  local times=
  [ $# -lt 3 ] || times=", \"times\": $3"
  curl -fsS --max-time 5 -o /dev/null "$1/_simulator/faults" -d "{\"fault\": $2$times}" || die "could not break $1"
}

# Sends a chat request: chat MODEL [MORE-JSON-MEMBERS]. Sets status, seconds, model_id, retries; answer in $folder.
chat() {
  local measured
  : > "$folder/head"
  : > "$folder/body"
  measured=$(curl -sS -N --max-time "${limit:-60}" -D "$folder/head" -o "$folder/body" -w '%{http_code} %{time_total}' \
    "$gateway/v1/chat/completions" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
    -d "{\"model\": \"$1\", \"messages\": [{\"role\": \"user\", \"content\": \"${words:-drill}\"}]${2:+, $2}}" \
    2> "$folder/curl")
  status=${measured%% *}
  seconds=${measured##* }
  model_id=$(header x-litellm-model-id)
  retries=$(header x-litellm-attempted-retries)
}

header() {
  NAME=$1 awk -F': *' '
    { sub(/\r$/, "") }
    tolower($1) == ENVIRON["NAME"] { sub(/^[^:]*: */, ""); value = $0 }
    END { print value }
  ' "$folder/head" 2>/dev/null
}

# How many requests a simulator has seen.
seen() { curl -fsS --max-time 5 "$1/_simulator/requests" | grep -c '^      "connection":'; }

# Delays in seconds between the requests that a simulator has seen, in order: "0.52 1.31 2.40".
delays() {
  curl -fsS --max-time 5 "$1/_simulator/requests" | sed -n 's/^      "at": \([0-9.]*\),*$/\1/p' |
    awk 'NR > 1 { printf "%s%.2f", gap, ($1 - last) / 1000; gap = " " } { last = $1 }'
}

# Statuses that a simulator has answered, in order: "401 200".
statuses() { curl -fsS --max-time 5 "$1/_simulator/requests" | sed -n 's/^      "status": \([0-9a-z]*\),*$/\1/p' | tr '\n' ' ' | sed 's/ $//'; }

at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'; }

# The answer in a few words, as evidence.
evidence() {
  local words="status $status after $seconds s"
  [ -z "$model_id" ] || words="$words, x-litellm-model-id: $model_id"
  [ -z "$(header x-litellm-model-provider)" ] || words="$words, x-litellm-model-provider: $(header x-litellm-model-provider)"
  [ -z "$(header x-litellm-attempted-fallbacks)" ] || words="$words, fallbacks: $(header x-litellm-attempted-fallbacks)"
  printf '%s' "$words"
}

error_message() { sed -n 's/.*"message": *"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$folder/body" | head -n 1 | cut -c1-300; }

# --- What is said ---------------------------------------------------------------------------------------------------

note() { printf '  %s\n' "$*"; }

# check NAME EVIDENCE COMMAND...: the check holds when the command succeeds.
check() {
  local name=$1 shown=$2
  shift 2
  checks=$((checks + 1))
  if "$@"; then
    printf '✓ %s: %s\n' "$name" "$shown"
  else
    failures=$((failures + 1))
    printf '✗ %s: %s\n' "$name" "$shown"
    [ ! -s "$folder/curl" ] || sed 's/^/    /' "$folder/curl"
    [ ! -s "$folder/body" ] || { head -c 600 "$folder/body" | sed 's/^/    /'; echo; }
    [ "$is_ours" = no ] || tail -n 5 "$folder/gateway.log" | cut -c1-400 | sed 's/^/    gateway: /'
  fi
}

skip() {
  skipped=$((skipped + 1))
  printf -- '- %s: skipped, %s\n' "$1" "$2"
}

finish() {
  local rest=
  [ "$skipped" = 0 ] || rest=", $skipped skipped"
  if [ "$failures" = 0 ]; then
    printf '%s checks held%s\n' "$checks" "$rest"
    exit 0
  fi
  printf '%s of %s checks failed%s\n' "$failures" "$checks" "$rest"
  exit 1
}

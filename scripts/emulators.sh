# Sourced by the scripts that run what is here against implementations of AWS
# services that others wrote. What they install is kept in $TASKS_TEST_CACHE
# (~/.cache/tasks-test-aws). Servers listen on the loopback interface and end
# with the script.
# shellcheck shell=bash

readonly ministack=1.5.33 sam_translator=1.115.0 cbor2=6.3.0
readonly account=123456789012 region=us-east-1 # as in events/

cache=${TASKS_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tasks-test-aws}
logs=$(mktemp -d)
pids=()

failure=
fail() {
	failure="${0##*/}: $*"
	echo "$failure" >&2
	exit 2 # with the servers' logs
}

stop() {
	local status=$?
	trap '' EXIT INT TERM
	if ((${#pids[@]})); then
		kill "${pids[@]}" 2>/dev/null || true
		wait "${pids[@]}" 2>/dev/null || true
	fi
	if ((status == 2)); then
		tail -n 20 "$logs"/*.log >&2 || true
		[[ -z $failure ]] || echo "$failure" >&2 # again, where a reader looks first
	fi
	rm -rf "$logs"
	exit "$status"
}
trap stop EXIT
trap 'exit 130' INT TERM

# need TOOL...
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || fail "$tool is missing"
	done
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME PORT COMMAND...: starts a server and waits until it listens.
start() {
	local name=$1 port=$2
	shift 2
	"$@" >"$logs/$name.log" 2>&1 &
	pids+=($!)
	for _ in {1..300}; do
		if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			return
		fi
		kill -0 "${pids[-1]}" 2>/dev/null || fail "$name has ended"
		sleep 0.1
	done
	fail "$name does not listen on port $port after 30 s"
}

# venv NAME REQUIREMENT...: makes a virtual environment with these packages, and
# prints its folder.
venv() {
	local dir=$cache/$1
	shift
	if [[ ! -e $dir/done ]]; then
		rm -rf "$dir"
		python3 -m venv "$dir"
		"$dir/bin/pip" install -q --disable-pip-version-check "$@" >&2
		touch "$dir/done"
	fi
	echo "$dir"
}

# start_ministack AUTH: starts an AWS with one account, whose root user has the
# credentials "test" and "test". If AUTH is true, it checks signatures and
# policies. It speaks TLS, which the queues' policies ask for. Sets $endpoint,
# and $aws_python, a Python with the SDK; and the environment of all that is to
# use it. The functions use $functions_endpoint, if that is set, in its place.
start_ministack() {
	need openssl python3
	local venv port
	venv=$(venv "ministack-$ministack-$sam_translator-$cbor2" "ministack==$ministack" "aws-sam-translator==$sam_translator" "cbor2==$cbor2")
	aws_python=$venv/bin/python
	port=$(free_port)
	endpoint=https://localhost:$port
	mkdir "$logs/tmp"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-keyout "$logs/key.pem" -out "$logs/cert.pem" -subj /CN=localhost \
		-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>"$logs/openssl.log" ||
		fail "no certificate"

	# The user's own configuration must not get here.
	unset AWS_PROFILE AWS_SESSION_TOKEN "${!AWS_ENDPOINT_URL_@}"
	export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
	export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=$region AWS_DEFAULT_REGION=$region
	export AWS_ENDPOINT_URL=$endpoint AWS_CA_BUNDLE=$logs/cert.pem SSL_CERT_FILE=$logs/cert.pem
	# Not by its own command, which opens port 443 too. SFTP and MQTT are its
	# side servers.
	start ministack "$port" env \
		AWS_ENDPOINT_URL="${functions_endpoint:-$endpoint}" AUTH="$1" MINISTACK_ACCOUNT_ID=$account MINISTACK_REGION=$region \
		GATEWAY_PORT="$port" MINISTACK_HOST=localhost SFTP_ENABLED=0 IOT_MTLS_ENABLED=0 \
		USE_SSL=1 MINISTACK_SSL_CERT="$logs/cert.pem" MINISTACK_SSL_KEY="$logs/key.pem" \
		TMPDIR="$logs/tmp" S3_DATA_DIR="$logs/tmp/s3" \
		"$venv/bin/hypercorn" ministack.app:app --workers 0 --bind "127.0.0.1:$port" --certfile "$logs/cert.pem" --keyfile "$logs/key.pem"
}

# sam_build: builds the functions for this machine into $build, of which
# $architecture is the template's parameter. sam_python is the SAM CLI's Python.
sam_build() {
	need go sam
	build=$logs/build
	case $(uname -m) in
	x86_64) architecture=x86_64 ;;
	aarch64 | arm64) architecture=arm64 ;;
	*) fail "Lambda has no $(uname -m)" ;;
	esac
	sam_python=$(sed -n '1s/^#! *//p' "$(command -v sam)")
	"$sam_python" -c 'import samcli' 2>/dev/null || fail "sam was not installed by pip, so its Python can't be used"
	sam build --build-dir "$build" --parameter-overrides "Architecture=$architecture" >"$logs/build.log" 2>&1 || fail "sam build"
}

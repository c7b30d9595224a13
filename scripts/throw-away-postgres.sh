# shellcheck shell=bash
# A Postgres of our own with fsync on, for scripts to source. After `start_postgres` the folder $dir
# is there, on the disk that holds what cargo builds (a file system in memory would flatter the
# database), and $postgres_url names the server; `run_load` runs loadtest there. All of it is gone when
# the script ends, or is stopped. $target is where cargo builds.

# shellcheck source=scripts/postgres-programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/postgres-programs.sh"
find_postgres
target=${CARGO_TARGET_DIR:-$PWD/target}
load=

# Runs loadtest of a profile to its end.
run_load() { # PROFILE ARGUMENT…
    # In the background, as a signal would have to wait for what is not.
    (cd "$dir" && exec "$target/$1/loadtest" "${@:2}") &
    load=$!
    local code=0
    wait "$load" || code=$?
    load=
    return "$code"
}

stop_all() {
    trap '' INT TERM
    # First what uses the database: it would see a failure that is none.
    if [ -n "$load" ]; then
        kill -TERM "$load" 2>/dev/null || true
        wait "$load" || true
    fi
    postgres pg_ctl -D "$dir/pg/data" -w -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}

start_postgres() {
    local socket
    mkdir -p "$target"
    target=$(cd "$target" && pwd)
    dir=$(mktemp -d "$target/postgres-XXXXXX")
    trap stop_all EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$dir/pg"
    chmod 711 "$dir"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$dir/pg"
    if ! as_postgres test -w "$dir/pg"; then
        echo "the user postgres cannot enter $dir, because a folder above it is closed to others;" \
            "set CARGO_TARGET_DIR to a place that it can enter, on the disk that you mean" >&2
        exit 1
    fi
    postgres initdb -D "$dir/pg/data" -U indelible -A trust -E UTF8 --locale=C >/dev/null
    cat >>"$dir/pg/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$dir/pg'
shared_buffers = 1GB
max_wal_size = 8GB
min_wal_size = 1GB
$(printf '%s\n' "$@")
END
    postgres pg_ctl -D "$dir/pg/data" -w -l "$dir/pg/log" start >/dev/null
    socket=$(jq -rn --arg path "$dir/pg" '$path | @uri')
    # shellcheck disable=SC2034 # for the script that sources this
    postgres_url="postgres://indelible@$socket/postgres"
}

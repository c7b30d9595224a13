# shellcheck shell=bash
# A Postgres of our own with fsync on, for scripts to source. After `start_postgres` the folder $dir
# is there, on the disk that holds the checkout (a file system in memory would flatter the
# database), and $postgres_url names the server; all of it is gone when the script ends.

# shellcheck disable=SC2012 # versions, in order
postgres_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$postgres_bin" ] || postgres_bin=$(dirname "$(command -v initdb)")

# Runs a Postgres program; as root by its own user, because it refuses to run as root.
postgres() {
    local program=$1
    shift
    local as=()
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    (cd / && LC_ALL=C "${as[@]}" "$postgres_bin/$program" "$@")
}

stop_postgres() {
    postgres pg_ctl -D "$dir/pg/data" -w -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}

start_postgres() {
    local socket
    mkdir -p target
    dir=$(mktemp -d "$PWD/target/postgres-XXXXXX")
    trap stop_postgres EXIT
    mkdir "$dir/pg"
    chmod 711 "$dir"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$dir/pg"
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
    socket=$(jq -rn --arg path "$dir/pg" '$path | @uri' 2>/dev/null || python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$dir/pg")
    # shellcheck disable=SC2034 # for the script that sources this
    postgres_url="postgres://indelible@$socket/postgres"
}

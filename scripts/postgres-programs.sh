# shellcheck shell=bash
# The programs of a Postgres server, for scripts to source.

# Sets $postgres_bin to the folder of the server's programs: of PATH, else of the newest version
# installed. A folder with a client only is none, and one of links leads to where the rest is.
find_postgres() {
    local folder
    while read -r folder; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ]; then
            postgres_bin=$(dirname "$(readlink -f "$folder/initdb")")
            return
        fi
    done < <(tr ':' '\n' <<<"$PATH"; printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV)
    return 1
}

# Runs the rest as the one that Postgres runs as: as root its own user, because it refuses to run
# as root.
as_postgres() {
    local as=()
    [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    (cd / && LC_ALL=C "${as[@]}" "$@")
}

# Runs a Postgres program; find_postgres came before.
postgres() { as_postgres "$postgres_bin/$1" "${@:2}"; }

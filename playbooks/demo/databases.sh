# shellcheck shell=sh
# Sourced by `sandbox`, whose variables it uses: a production and a staging PostgreSQL.
# shellcheck disable=SC2154

find_postgres() {
    postgres=''
    for bin in /usr/lib/postgresql/*/bin; do
        if [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ]; then postgres=$bin; fi
    done
    [ -n "$postgres" ] || fail "missing: postgresql; 'playbooks/demo/prerequisites demo' installs it"
    as_postgres=''
    # It refuses to run as root.
    if [ "$(id -u)" = 0 ]; then as_postgres='setpriv --reuid=postgres --regid=postgres --init-groups --'; fi
}

password() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

write_cluster() { # NAME ADDRESS: a cluster and the URL of its database
    data=$dir/databases/$1 secret=$(password)
    mkdir "$data"
    echo "$secret" >"$data.password"
    if [ -n "$as_postgres" ]; then
        chown postgres "$data" "$data.password"
        chmod 711 "$dir" "$dir/databases"
        $as_postgres test -r "$data.password" || fail "the user postgres cannot reach $dir; choose another --dir"
    fi
    chmod 600 "$data.password"
    $as_postgres "$postgres/initdb" -D "$data" -U admin -A scram-sha-256 --pwfile="$data.password" -E UTF8 \
        --locale=C.UTF-8 -N >"$dir/log/$1.initdb" || fail "initdb failed: $(tail -n 3 "$dir/log/$1.initdb")"
    rm "$data.password"
    (umask 077 && echo "postgres://admin:$secret@$2:$pg_port/payments" >"$data.url")
    service "$1.postgres" <<SCRIPT
exec $as_postgres $postgres/postgres -D $data -p $pg_port -c listen_addresses=$2 -c unix_socket_directories=
SCRIPT
}

write_databases() {
    find_postgres
    mkdir "$dir/databases" "$dir/databases/migrations"
    write_cluster production 127.0.4.1
    write_cluster staging 127.0.4.2
    (umask 077 && password >"$dir/databases/mask_key")
    cp "$demo/templates/databases.yml" "$dir/databases/staithe.yml"
    cp "$demo/templates/masks.yml" "$dir/databases/"
    cp "$demo/templates/0042_customers_country.sql" "$dir/databases/migrations/"
    {
        echo "SANDBOX_DATABASES=$dir/databases/staithe.yml"
        echo "SANDBOX_PG_PORT=$pg_port"
    } >>"$dir/env"
}

start_databases() {
    "$python" -S "$demo/supervise.py" ask "$dir" start production.postgres staging.postgres
    "$python" -S "$demo/supervise.py" wait 20 tcp:127.0.4.1:"$pg_port" tcp:127.0.4.2:"$pg_port"
    in_production postgres -c 'CREATE DATABASE payments'
    in_production payments -1 -f "$demo/templates/production.sql"
}

in_production() { # DATABASE WORDS: psql that tries again while the server still starts
    secret=$(sed -e 's|.*://admin:||' -e 's|@.*||' "$dir/databases/production.url")
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        PGPASSWORD=$secret "$postgres/psql" -h 127.0.4.1 -p "$pg_port" -U admin -d "$@" -Xq -v ON_ERROR_STOP=1 >"$dir/log/production.sql.log" 2>&1 && return 0
        grep -q 'starting up' "$dir/log/production.sql.log" || break
        sleep "0.$attempt"
    done
    fail "production could not be filled: $(tail -n 3 "$dir/log/production.sql.log")"
}

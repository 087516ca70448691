# shellcheck shell=sh
# Sourced by `sandbox`, whose variables it uses: writes the files of a sandbox.
# shellcheck disable=SC2154

# fill TEMPLATE NAME ADDRESS: the template with its @WORDS@ replaced
fill() {
    sed -e "s|@DIR@|$dir|g" -e "s|@NAME@|$2|g" -e "s|@ADDRESS@|$3|g" -e "s|@USER@|$user|g" -e "s|@PAM@|$pam|g" \
        -e "s|@SSH_PORT@|$ssh_port|g" -e "s|@APP_PORT@|$app_port|g" -e "s|@LB_PORT@|$lb_port|g" \
        -e "s|@GIT_PORT@|$git_port|g" "$demo/templates/$1"
}

service() { # NAME: the script on stdin
    cat >"$dir/services/$1"
}

write_keys() {
    ssh-keygen -q -t ed25519 -N '' -C sandbox -f "$dir/ssh/id_ed25519"
    cp "$dir/ssh/id_ed25519.pub" "$dir/ssh/authorized_keys"
    for pair in $hosts; do
        name=${pair%%=*} address=${pair#*=}
        ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$dir/ssh/${name}_key"
        read -r type key _ <"$dir/ssh/${name}_key.pub"
        echo "[$address]:$ssh_port $type $key" >>"$dir/ssh/known_hosts"
    done
    {
        echo "# ssh -F $dir/ssh/config web1"
        for pair in $hosts; do
            printf 'Host %s\n    HostName %s\n' "${pair%%=*}" "${pair#*=}"
        done
        printf 'Host *\n    Port %s\n    User %s\n    IdentityFile %s\n    IdentitiesOnly yes\n' \
            "$ssh_port" "$user" "$dir/ssh/id_ed25519"
        printf '    UserKnownHostsFile %s\n    StrictHostKeyChecking yes\n' "$dir/ssh/known_hosts"
    } >"$dir/ssh/config"
}

# An account locked with "!" may log in through PAM only; elsewhere PAM would only cost time.
choose_pam() {
    pam=no
    if [ "$(id -u)" = 0 ]; then
        if grep -q "^$user:!" /etc/shadow 2>/dev/null; then pam=yes; fi
        # sshd as root insists on this directory, which the system makes when its own sshd starts.
        [ -d /run/sshd ] || mkdir -m 0755 /run/sshd
    fi
}

write_sshd() { # NAME ADDRESS
    mkdir -p "$dir/hosts/$1"
    fill sshd_config "$1" "$2" >"$dir/hosts/$1/sshd_config"
    cat >"$dir/hosts/$1/record.sh" <<RECORD
unset BASH_ENV
printf '%s\\0' "\$BASH_EXECUTION_STRING" >>$dir/hosts/$1/commands.log
RECORD
    : >"$dir/hosts/$1/commands.log"
    echo "exec $sshd -D -e -f $dir/hosts/$1/sshd_config" | service "$1.sshd"
}

commit() { # TAG SUBJECT: commits the work tree as it stands, at a fixed time so that hashes repeat
    commits=$((commits + 1))
    git add -A
    GIT_AUTHOR_DATE="@$((1700000000 + commits * 3600)) +0000" GIT_COMMITTER_DATE="@$((1700000000 + commits * 3600)) +0000" \
        git -c user.name='Sandbox' -c user.email=sandbox@localhost -c commit.gpgsign=false commit -q -m "$2"
    git tag "$1"
}

faulty() { # TAG SUBJECT SETTING: a release on top of v3 that has this line in app.conf, on its own branch
    git checkout -q -b "try/$1" v3
    echo "$1" >VERSION
    echo "$3" >>app.conf
    commit "$1" "$2"
}

write_repository() (
    commits=0
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
    mkdir -p "$dir/git/work"
    cd "$dir/git/work" || exit 1
    git init -q -b main .
    cp "$demo/app/app.py" "$demo/app/app.conf" "$demo/app/Makefile" .
    printf 'BUILD\n__pycache__/\n' >.gitignore
    echo v1 >VERSION
    commit v1 'Take payments'
    echo v2 >VERSION
    commit v2 'Add the invoices index'
    echo v3 >VERSION
    commit v3 'Round amounts half to even'
    faulty broken-start 'Read the ledger at start' 'broken = start'
    faulty broken-health 'Count the ledger in the health page' 'broken = health'
    faulty slow-start 'Warm the cache at start' 'warmup_ms = 6000'
    faulty wrong-version 'Show a version of our own' 'lie = 0000000000000000000000000000000000000000'
    git checkout -q -b try/broken-install v3
    echo broken-install >VERSION
    printf 'install:\n\t@echo "cc: error: ledger.c: No such file or directory" >&2; exit 1\n' >Makefile
    commit broken-install 'Build the ledger'
    faulty wrong-charges 'Charge in cents' 'broken = charges'
    git checkout -q main
    git clone -q --bare . "$dir/git/payments.git"
    git --git-dir="$dir/git/payments.git" for-each-ref --format='%(refname:short) %(objectname)' refs/tags >"$dir/git/tags"
)

tag_sha() {
    while read -r tag sha; do
        if [ "$tag" = "$1" ]; then echo "$sha"; fi
    done <"$dir/git/tags"
}

write_git_servers() {
    # Verbose: the log holds every request, so that a test can read what the server was asked for.
    service git.daemon <<SCRIPT
exec "$(git --exec-path)/git-daemon" --verbose --export-all --reuseaddr --informative-errors \
    --base-path=$dir/git --listen=127.0.3.1 --port=$git_port $dir/git
SCRIPT
}

write_app_host() { # NAME ADDRESS: version 1 is live here, as an earlier deploy would have left it
    home=$dir/hosts/$1/payments
    sha=$(tag_sha v1)
    release=$home/releases/$(echo "$sha" | cut -c1-12)
    mkdir -p "$dir/hosts/$1/bin" "$release" "$home/shared/log"
    cp "$demo/app/appctl" "$dir/hosts/$1/bin/appctl"
    printf 'host=%s\naddress=%s\nport=%s\npython=%s\nhome=%s\n' "$1" "$2" "$app_port" "$python" "$home" \
        >"$dir/hosts/$1/host.conf"
    git --git-dir="$dir/git/payments.git" archive "$sha" | tar -x -C "$release"
    echo 'LEDGER=/srv/ledger' >"$home/shared/.env"
    echo "$sha" >"$release/REVISION"
    ln -s ../../shared/log "$release/log"
    ln -s ../../shared/.env "$release/.env"
    echo 'payments v1' >"$release/BUILD"
    date -u +%Y-%m-%dT%H:%M:%SZ >"$release/.staithe-good"
    ln -s "releases/$(basename "$release")" "$home/current"
    echo "exec $dir/hosts/$1/bin/appctl start" | service "$1.app"
}

write_balancer() { # NAME ADDRESS
    mkdir -p "$dir/$1"
    servers=''
    for pair in $hosts; do
        case $pair in
        web*) servers="$servers    server ${pair%%=*} ${pair#*=}:$app_port\\n" ;;
        esac
    done
    fill haproxy.cfg "$1" "$2" | sed -e "s|^ *@SERVERS@|${servers%\\n}|" >"$dir/$1/haproxy.cfg"
    echo "exec $haproxy -W -S $dir/$1/master.sock -f $dir/$1/haproxy.cfg" | service "$1.haproxy"
    # Not started by itself: a test that wants to read what the socket is told puts tap.sock into staithe.yml.
    echo "exec $python -S $demo/tap.py $dir/$1/tap.sock $dir/$1/admin.sock $dir/$1/commands.log" | service "$1.tap"
}

# NAME=VALUE lines for scripts and tests; `sandbox env` prints them for a shell.
write_environment() {
    {
        echo "SANDBOX_DIR=$dir"
        echo "SANDBOX_CONFIG=$dir/staithe.yml"
        echo "SANDBOX_PLAYBOOK=$dir/playbooks/deploy.yml"
        echo "SANDBOX_USER=$user"
        echo "SANDBOX_SSH_PORT=$ssh_port"
        echo "SANDBOX_APP_PORT=$app_port"
        echo "SANDBOX_LB_PORT=$lb_port"
        echo "SANDBOX_GIT_PORT=$git_port"
        echo "SANDBOX_LB=127.0.2.1:$lb_port,127.0.2.2:$lb_port"
        echo "SANDBOX_SSH_CONFIG=$dir/ssh/config"
        echo "SANDBOX_SSH_KEY=$dir/ssh/id_ed25519"
        echo "SANDBOX_KNOWN_HOSTS=$dir/ssh/known_hosts"
        echo "SANDBOX_GIT_URL=git://127.0.3.1:$git_port/payments.git"
        echo "SANDBOX_GIT_SSH_URL=ssh://$user@127.0.3.1:$ssh_port$dir/git/payments.git"
        while read -r tag sha; do
            echo "SANDBOX_SHA_$(echo "$tag" | tr - _)=$sha"
        done <"$dir/git/tags"
    } >"$dir/env"
}

# bash completion for staithe, made by: staithe completion bash

_staithe_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

_staithe_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "${1:--f}" -- "$cur")
}

# Names that the project's files give; nothing is asked over the network.
_staithe_ask() { mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "$1" "$cur" "${where[@]}" 2>/dev/null); }

_staithe() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' word i
    local -a where=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --) return ;;
            -f | --file | -e | --environment | -C | --chdir)
                if ((i + 1 < COMP_CWORD)); then where+=("$word" "${COMP_WORDS[i + 1]}"); fi
                ((i++)) ;;
            --color|--confirm|--expect-plan|--hosts|-H|--kind|--last|--limit|--lock-wait|--log-file|--max-failures|--min-available|--parallel|--reason|--report|--service|--timeout|--to|--var|--var-file|--within) ((i++)) ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then command=$word
                elif [[ $command =~ ^(hostkeys)$ ]]; then command+=" $word"; fi ;;
        esac
    done
    case $prev in
        --chdir | -C) _staithe_files -d; return ;;
        --color) _staithe_words "auto always never"; return ;;
        --confirm) :; return ;;
        --environment | -e) _staithe_ask environments; return ;;
        --expect-plan) :; return ;;
        --file | -f) _staithe_files; return ;;
        --hosts | -H) _staithe_ask hosts; return ;;
        --kind) :; return ;;
        --last) :; return ;;
        --limit) _staithe_ask hosts; return ;;
        --lock-wait) :; return ;;
        --log-file) _staithe_files; return ;;
        --max-failures) :; return ;;
        --min-available) :; return ;;
        --parallel) :; return ;;
        --reason) :; return ;;
        --report) _staithe_files; return ;;
        --service) _staithe_ask services; return ;;
        --timeout) :; return ;;
        --to) :; return ;;
        --var) :; return ;;
        --var-file) _staithe_files; return ;;
        --within) :; return ;;
    esac
    if [[ $cur == -* ]]; then
        case $command in
            'deploy') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --resume --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'plan') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --resume --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'rollback') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --to --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'run') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'exec') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --hosts -H --timeout --fold --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'status') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'history') _staithe_words "--last --kind --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'doctor') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'drain') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --reason --within --close-sessions --min-available --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'restore') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --reason --within --close-sessions --min-available --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'recover') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'unlock') _staithe_words "--dry-run -n --reason --force --confirm --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'hostkeys scan') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'hostkeys pin') _staithe_words "--dry-run -n --replace --yes -y --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'hostkeys verify') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'validate') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'help') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'version') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'completion') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            *) _staithe_words "--help --version" ;;
        esac
        return
    fi
    case $command in
        '') _staithe_words "deploy plan rollback run exec status history doctor drain restore recover unlock hostkeys validate help version completion" ;;
        hostkeys) _staithe_words "scan pin verify" ;;
        'deploy') _staithe_ask playbooks ;;
        'plan') _staithe_ask playbooks ;;
        'rollback') _staithe_ask playbooks ;;
        'run') _staithe_ask playbooks ;;
        'exec') : ;;
        'status') _staithe_ask hosts ;;
        'history') _staithe_ask runs ;;
        'doctor') _staithe_ask hosts ;;
        'drain') _staithe_ask hosts ;;
        'restore') _staithe_ask hosts ;;
        'recover') _staithe_ask runs ;;
        'unlock') : ;;
        'hostkeys scan') _staithe_ask hosts ;;
        'hostkeys pin') _staithe_ask hosts ;;
        'hostkeys verify') _staithe_ask hosts ;;
        'validate') _staithe_ask playbooks ;;
        'help') _staithe_words "activate check checkout completion confirm deploy doctor drain environment exec exit-codes help history hostkeys local notify plan recover reload restore rollback run status steps template unlock upload validate version wait" ;;
        'version') : ;;
        'completion') _staithe_words "bash zsh fish" ;;
    esac
}

complete -F _staithe staithe

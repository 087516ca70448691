# bash completion for staithe, made by: staithe completion bash

_staithe_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

_staithe_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "${1:--f}" -- "$cur")
}

# Names that the project's files give; nothing is asked over the network. What was typed with backslashes is asked for
# without and offered with them.
_staithe_ask() {
    local escaped=''
    [[ $cur != *\\* ]] || escaped=yes cur=${cur//\\/}
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "$1" "$cur" "${where[@]}" 2>/dev/null)
    [[ -z $escaped || ${#COMPREPLY[@]} == 0 ]] || mapfile -t COMPREPLY < <(printf '%q\n' "${COMPREPLY[@]}")
    [[ ${COMPREPLY[*]} != */ ]] || compopt -o nospace 2>/dev/null
}

_staithe() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' word i
    local -a where=()
    COMPREPLY=()
    # bash makes three words of --name=value.
    if [[ $cur == = ]]; then cur=''
    elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
    # A quote that is open stays in front of what is offered.
    if [[ $cur == [\'\"]* ]]; then cur=${cur:1}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ${COMP_WORDS[i + 1]} == = ]] && ((i + 1 < COMP_CWORD)); then ((i++)); fi
        case $word in
            --) return ;;
            -f | --file | -e | --environment | -C | --chdir)
                if ((i + 1 < COMP_CWORD)); then where+=("$word" "${COMP_WORDS[i + 1]}"); fi
                ((i++)) ;;
            --batch-time|--blocking|--color|--command|--confirm|--deadline|--every|--expect-plan|--fail-on|--hosts|-H|--jobs|-j|--kind|--last|--limit|--listen|--lock-timeout|--lock-wait|--log-file|--masks|--max-active|--max-failures|--max-lag|--max-waiting|--min-available|--name|--not-null|--only|--open-transaction|--parallel|--pause-file|--reason|--report|--rest|--service|--set|--settled|--source|--tag|--target|--tell|--timeout|--to|--var|--var-file|--where|--with|--within) ((i++)) ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then command=$word
                elif [[ $command =~ ^(hostkeys|stage)$ ]]; then command+=" $word"; fi ;;
        esac
    done
    case $prev in
        --batch-time) :; return ;;
        --blocking) :; return ;;
        --chdir | -C) _staithe_files -d; return ;;
        --color) _staithe_words "auto always never"; return ;;
        --command) :; return ;;
        --confirm) :; return ;;
        --deadline) :; return ;;
        --environment | -e) _staithe_ask environments; return ;;
        --every) :; return ;;
        --expect-plan) :; return ;;
        --fail-on) :; return ;;
        --file | -f) _staithe_files; return ;;
        --hosts | -H) _staithe_ask hosts; return ;;
        --jobs | -j) :; return ;;
        --kind) :; return ;;
        --last) :; return ;;
        --limit) _staithe_ask hosts; return ;;
        --listen) :; return ;;
        --lock-timeout) :; return ;;
        --lock-wait) :; return ;;
        --log-file) _staithe_files; return ;;
        --masks) _staithe_files; return ;;
        --max-active) :; return ;;
        --max-failures) :; return ;;
        --max-lag) :; return ;;
        --max-waiting) :; return ;;
        --min-available) :; return ;;
        --name) :; return ;;
        --not-null) :; return ;;
        --only) :; return ;;
        --open-transaction) :; return ;;
        --parallel) :; return ;;
        --pause-file) _staithe_files; return ;;
        --reason) :; return ;;
        --report) _staithe_files; return ;;
        --rest) :; return ;;
        --service) _staithe_ask services; return ;;
        --set) :; return ;;
        --settled) _staithe_ask runs; return ;;
        --source) :; return ;;
        --tag) :; return ;;
        --target) :; return ;;
        --tell) :; return ;;
        --timeout) :; return ;;
        --to) :; return ;;
        --var) :; return ;;
        --var-file) _staithe_files; return ;;
        --where) :; return ;;
        --with) _staithe_files; return ;;
        --within) :; return ;;
    esac
    if [[ $cur == -* ]]; then
        case $command in
            'deploy') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --deadline --lock-wait --resume --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'plan') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --deadline --lock-wait --resume --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'rollback') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --deadline --lock-wait --to --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'run') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --deadline --lock-wait --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'exec') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --deadline --hosts -H --timeout --fold --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'check') _staithe_words "--dry-run -n --expect-plan --critical --tag --only --target --var --fail-on --no-history --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'watch') _staithe_words "--listen --every --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --limit --service" ;;
            'status') _staithe_words "--var --var-file --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --limit --service" ;;
            'history') _staithe_words "--last --kind --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            'doctor') _staithe_words "--var --var-file --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --limit --service" ;;
            'drain') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --deadline --lock-wait --reason --within --close-sessions --min-available --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'restore') _staithe_words "--dry-run -n --expect-plan --var --var-file --yes -y --parallel --max-failures --lock-wait --reason --within --min-available --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --limit --service" ;;
            'recover') _staithe_words "--dry-run -n --expect-plan --yes -y --lock-wait --settled --reason --confirm --var --var-file --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --service" ;;
            'unlock') _staithe_words "--dry-run -n --reason --force --confirm --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            'hostkeys scan') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --limit --service" ;;
            'hostkeys pin') _staithe_words "--dry-run -n --replace --yes -y --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --limit --service" ;;
            'hostkeys verify') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --limit --service" ;;
            'stage snapshot') _staithe_words "--dry-run -n --expect-plan --name --masks --require-masks --keep-live --replace --jobs -j --yes -y --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --service" ;;
            'stage rehearse') _staithe_words "--dry-run -n --expect-plan --source --command --with --blocking --offline --no-load --no-open-transaction --no-advice --open-transaction --keep-clone --timeout --yes -y --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --service" ;;
            'stage backfill') _staithe_words "--dry-run -n --expect-plan --set --where --not-null --batch-time --lock-timeout --max-lag --max-waiting --max-active --rest --pause-file --timeout --source --keep-clone --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --service" ;;
            'stage list') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            'stage drop') _staithe_words "--dry-run -n --confirm --disconnect --unfinished --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            'stage suggest-masks') _staithe_words "--all --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            'backfill') _staithe_words "--dry-run -n --expect-plan --set --where --not-null --batch-time --lock-timeout --max-lag --max-waiting --max-active --rest --pause-file --timeout --confirm --tell --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --report --log-file --chdir -C --no-input --service" ;;
            'validate') _staithe_words "--var --var-file --help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --limit --service" ;;
            'help') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            'version') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            'completion') _staithe_words "--help -h --file -f --environment -e --quiet -q --verbose -v --color --json --log-file --chdir -C --no-input --service" ;;
            *) _staithe_words "--help --version" ;;
        esac
        return
    fi
    case $command in
        '') _staithe_words "deploy plan rollback run exec check watch status history doctor drain restore recover unlock hostkeys stage backfill validate help version completion" ;;
        hostkeys) _staithe_words "scan pin verify" ;;
        stage) _staithe_words "snapshot rehearse backfill list drop suggest-masks" ;;
        'deploy') _staithe_ask playbooks ;;
        'plan') _staithe_ask playbooks ;;
        'rollback') _staithe_ask playbooks ;;
        'run') _staithe_ask playbooks ;;
        'exec') : ;;
        'check') _staithe_ask suites ;;
        'watch') _staithe_ask suites ;;
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
        'stage snapshot') : ;;
        'stage rehearse') _staithe_files ;;
        'stage backfill') : ;;
        'stage list') : ;;
        'stage drop') : ;;
        'stage suggest-masks') : ;;
        'backfill') : ;;
        'validate') _staithe_ask playbooks ;;
        'help') _staithe_words "activate backfill check checkout completion confirm deploy doctor drain environment exec exit-codes help history hostkeys local notify plan recover rehearsed reload restore rollback run stage status steps template unlock upload validate version wait watch" ;;
        'version') : ;;
        'completion') _staithe_words "bash zsh fish" ;;
    esac
}

complete -F _staithe staithe

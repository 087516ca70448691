# What an interactive zsh offers for a line, one word a line.
# Usage: zsh -f ask.zsh DIRECTORY-OF-_staithe WORK LINE
zmodload zsh/zpty
mkdir -p $2/zsh
# Matches reach the list through the builtin compadd: with -A it says which of those that it is given match.
cat >$2/zsh/.zshrc <<'RC'
fpath=($COMPLETIONS $fpath)
autoload -Uz compinit && compinit -u -d $ZDOTDIR/known
compadd() {
  if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    local -a hits
    builtin compadd -A hits "$@"
    print -rl -- $hits >>$ANSWER
  fi
  builtin compadd "$@"
}
quit() { print -r -- OVER; exit }
comppostfuncs=(quit)
bindkey '^I' complete-word
PROMPT='READY'
RC
export ZDOTDIR=$2/zsh COMPLETIONS=$1 ANSWER=$2/zsh/answer TERM=dumb
: >$ANSWER
zpty shell zsh -d -i
said=''
zpty -r shell said '*READY*' || { print -u2 "zsh did not start: $said"; exit 1 }
zpty -w -n shell "$3"$'\t'
zpty -r shell said '*OVER*' || { print -u2 "zsh did not complete: $said"; exit 1 }
zpty -d shell
[[ $said != *(_staithe|_arguments|compadd):* ]] || print -u2 -r -- $said
grep . $ANSWER || true

#include "staithe/steps/release_scripts.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

namespace staithe::steps {
namespace {

using base::shell_quote;

/// git that never asks: no terminal prompt, and an ssh that fails instead of asking.
constexpr std::string_view quiet_git =
    "export GIT_TERMINAL_PROMPT=0\n"
    "export GIT_SSH_COMMAND=\"${GIT_SSH_COMMAND:-$(git config --get core.sshCommand || echo ssh) "
    "-o BatchMode=yes}\"\n";

std::string enter(const Release& release) {
  return "set -eu\ncd " + shell_quote(release.path) + "\n";
}

std::string link_shared(const Release& release) {
  if (release.shared.empty()) return {};
  std::string script;
  for (const std::string& entry : release.shared) {
    const bool directory = entry.back() == '/';
    const std::string name = directory ? entry.substr(0, entry.size() - 1) : entry;
    const std::size_t slash = name.rfind('/');
    if (directory) script += "mkdir -p " + shell_quote("shared/" + name) + "\n";
    if (slash != std::string::npos)
      script += "mkdir -p \"$new\"/" + shell_quote(name.substr(0, slash)) + "\n";
    script += fmt::format("rm -rf \"$new\"/{0}\nln -s {1} \"$new\"/{0}\n", shell_quote(name),
                          shell_quote(release.path + "/shared/" + name));
  }
  return script;
}

/// Lets `current` be a link to `target`, a word of the shell, in one step: nobody ever sees it missing.
std::string switch_to(const std::string& target, std::string_view indent) {
  return fmt::format(
      "{0}rm -f .staithe/current\n"
      "{0}ln -s {1} .staithe/current\n"
      "{0}mv -T .staithe/current current\n",
      indent, target);
}

/// Adds the release to those that were live here, behind the one that is live now. What a crash or a hand has
/// left in the list beyond that one was never served. Who goes back to what is not in the list begins a new
/// one: what stands there may be newer. A full disk keeps nobody from going back, and costs no list. The ids
/// are compared as text: some read as numbers.
std::string note_served(const Release& release) {
  constexpr int kept_lines = 50;
  const std::string leave_behind = release.goes_back
                                       ? "  if (was != \"\") at--\n"
                                         "  for (i = at; i > 0; i--) if (line[i] \"\" == new \"\") break\n"
                                         "  at = i > 0 ? i - 1 : 0\n"
                                       : "";
  return fmt::format(
      "case $was in releases/*) was=${{was#releases/}} ;; *) was= ;; esac\n"
      "if [ \"$was\" != {0} ] && {{ touch .staithe/served &&\n"
      "  cp .staithe/served .staithe/.served-before &&\n"
      "  mv -T .staithe/.served-before .staithe/served-before ||\n"
      "  {{ rm -f .staithe/.served-before .staithe/served-before; false; }}; }} &&\n"
      "  awk -v was=\"$was\" -v new={0} '\n"
      "{{ line[NR] = $0; if ($0 \"\" == was \"\") at = NR }}\n"
      "END {{\n"
      "  if (!at) {{ at = NR; if (was != \"\") line[++at] = was }}\n"
      "{1}"
      "  for (i = at >= {2} ? at - {2} + 2 : 1; i <= at; i++) print line[i]\n"
      "  print new\n"
      "}}' .staithe/served >.staithe/.served\n"
      "then mv -T .staithe/.served .staithe/served; fi\n",
      release.id, leave_behind, kept_lines);
}

}  // namespace

std::string checkout_script(const Release& release) {
  const std::string repository = shell_quote(release.repository);
  std::string script = fmt::format(
      "set -eu\nmkdir -p {0}\ncd {0}\n"
      "sha={1} new=releases/.tmp-{2}\n"
      "if [ \"$(cat releases/{2}/REVISION 2>/dev/null)\" = $sha ]; then echo 'release {2} is there'; exit 0; "
      "fi\n"
      "if [ \"$(readlink current)\" = releases/{2} ]; then\n"
      "  echo 'releases/{2} is live but holds another revision' >&2; exit 1\n"
      "fi\n"
      "{3}"
      "mkdir -p releases shared .staithe\n"
      // A checkout that was killed may have left half a repository, or git's locks in a whole one.
      "git() {{ command git --git-dir=repo.git -c gc.auto=0 \"$@\"; }}\n"
      "if git rev-parse --git-dir >/dev/null 2>&1; then\n"
      "  find repo.git -name '*.lock' -type f -exec rm -f {{}} +\n"
      "else\n"
      "  rm -rf repo.git .tmp-repo.git\n"
      "  command git init --quiet --bare .tmp-repo.git\n"
      "  mv -T .tmp-repo.git repo.git\n"
      "fi\n"
      "git fetch --quiet --no-tags --depth=1 {4} +$sha:refs/staithe/{2} ||\n"
      "  git fetch --quiet --no-tags {4} '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*'\n"
      "[ \"$(git rev-parse --verify --quiet \"$sha^{{commit}}\")\" = $sha ]\n"
      "git update-ref refs/staithe/{2} $sha\n"
      "rm -rf \"$new\" \"$new.failed\"\n"
      "mkdir \"$new\"\n"
      "{{ git archive --format=tar $sha || : >\"$new.failed\"; }} | tar -xf - -C \"$new\"\n"
      "if [ -e \"$new.failed\" ]; then echo 'git archive failed' >&2; exit 1; fi\n",
      shell_quote(release.path), release.sha, release.id, quiet_git, repository);
  script += link_shared(release);
  script += fmt::format(
      "echo $sha >\"$new\"/REVISION\n"
      "rm -rf releases/{0}\n"
      "mv -T \"$new\" releases/{0}\n",
      release.id);
  return script;
}

std::string activate_script(const Release& release) {
  return enter(release) +
         fmt::format(
             "if [ \"$(cat releases/{0}/REVISION 2>/dev/null)\" != {1} ]; then\n"
             "  echo 'release {0} is not staged here' >&2; exit 1\n"
             "fi\n"
             "if [ -e current ] && [ ! -L current ]; then\n"
             "  echo \"$PWD/current is not a symbolic link\" >&2; exit 1\n"
             "fi\n"
             "mkdir -p .staithe/before\n"
             // Activated again, after a crash or by --resume, it still knows what it replaced; a release that
             // replaced nothing is its own predecessor when it is deployed once more.
             "was=$(readlink current || :)\n"
             "if [ \"$was\" != releases/{0} ] || [ ! -s .staithe/before/{0} ]; then\n"
             "  readlink current >.staithe/before/.tmp-{0} || :\n"
             "  mv -T .staithe/before/.tmp-{0} .staithe/before/{0}\n"
             "fi\n"
             "{2}{3}",
             release.id, release.sha, note_served(release), switch_to("releases/" + release.id, ""));
}

std::string reactivate_script(const Release& release) {
  return enter(release) +
         fmt::format(
             "if [ \"$(readlink current)\" = releases/{0} ]; then\n"
             "  before=$(cat .staithe/before/{0} 2>/dev/null || :)\n"
             "  if [ -z \"$before\" ] || [ ! -d \"$before\" ]; then\n"
             "    echo 'there is no release before {0} to go back to' >&2; exit 1\n"
             "  fi\n"
             "{1}"
             "  mv -T .staithe/served-before .staithe/served 2>/dev/null || :\n"
             "fi\n"
             "cut -c 1-12 current/REVISION 2>/dev/null || basename \"$(readlink current)\"\n",
             release.id, switch_to("\"$before\"", "  "));
}

std::string verify_script(const Release& release) {
  return enter(release) +
         fmt::format(
             "[ \"$(readlink current)\" = releases/{0} ] && [ \"$(cat current/REVISION)\" = {1} ] ||\n"
             "  {{ echo \"current is $(readlink current)\" >&2; exit 1; }}\n",
             release.id, release.sha);
}

std::string cleanup_script(const Release& release) {
  return enter(release) +
         fmt::format(
             "date -u +%Y-%m-%dT%H:%M:%SZ >releases/{0}/.staithe-good\n"
             "keep=\" {0} $(basename \"$(readlink current)\") "
             "$(basename \"$(cat .staithe/before/{0} 2>/dev/null || :)\") "
             "$(tail -n 2 .staithe/served 2>/dev/null | tr '\\n' ' ') "
             "$(ls -1t releases/*/.staithe-good | head -n {1} | cut -d / -f 2 | tr '\\n' ' ')\"\n"
             "for old in releases/????????????; do\n"
             "  name=${{old#releases/}}\n"
             "  case \"$keep\" in *\" $name \"*) continue ;; esac\n"
             "  case \"$(cat \"$old/REVISION\" 2>/dev/null || :)\" in \"$name\"*) ;; *) continue ;; esac\n"
             "  rm -rf \"$old\" \".staithe/before/$name\"\n"
             "  if [ -d repo.git ]; then git --git-dir=repo.git update-ref -d \"refs/staithe/$name\"; fi\n"
             "  echo \"removed release $name\"\n"
             "done\n"
             "rm -rf releases/.tmp-*\n"
             "if [ -d repo.git ]; then git --git-dir=repo.git -c gc.autoDetach=false gc --auto --quiet; fi\n",
             release.id, std::max(release.keep, 2U));
}

constexpr int least_free_inodes = 1000;

std::string preflight_script(const Release* release, const Preflight& wanted) {
  std::string script;
  if (release != nullptr && (wanted.needs_checkout || wanted.needs_activate)) {
    script += fmt::format(
        "path={}\n"
        "if [ -e \"$path/current\" ] && [ ! -L \"$path/current\" ]; then\n"
        "  no \"$path/current is not a symbolic link\"\n"
        "fi\n"
        "there=$path; while [ ! -d \"$there\" ]; do there=$(dirname \"$there\"); done\n"
        "[ -w \"$there\" ] || no \"$there is not writable for $(id -un)\"\n",
        shell_quote(release->path));
  }
  if (release != nullptr && wanted.needs_activate && !wanted.needs_checkout) {
    script += fmt::format(
        "[ \"$(cat \"$path/releases/{0}/REVISION\" 2>/dev/null)\" = {1} ] || no 'release {0} is not staged "
        "here'\n",
        release->id, release->sha);
  }
  if (release != nullptr && wanted.needs_checkout) {
    script += fmt::format(
        "free=$(df -Pk \"$there\" | awk 'NR == 2 {{ print $4 }}')\n"
        "[ \"${{free:-0}}\" -ge {0} ] || no \"only $free KiB free for $path, {0} KiB wanted\"\n"
        // Some file systems count none, some df do not tell: then nothing is known and nothing is wrong.
        "free=$(df -Pi \"$there\" 2>/dev/null | awk 'NR == 2 && $2 > 0 && $4 ~ /^[0-9]+$/ {{ print $4 }}')\n"
        "[ \"${{free:-{1}}}\" -ge {1} ] || no \"only $free inodes free for $path, {1} wanted\"\n",
        release->min_free_bytes / 1024, least_free_inodes);
    for (const std::string& entry : release->shared) {
      if (entry.back() == '/') continue;
      script += fmt::format("[ -e \"$path/shared/\"{0} ] || no \"$path/shared/\"{0}' is missing'\n",
                            shell_quote(entry));
    }
    script += fmt::format(
        "command -v tar >/dev/null || no 'tar is not installed'\n"
        "if command -v git >/dev/null; then\n{0}"
        "  said=$(git ls-remote --quiet {1} HEAD 2>&1) || no {2}\": $said\"\n"
        "else\n  no 'git is not installed'\nfi\n",
        quiet_git, shell_quote(release->repository), shell_quote("git cannot reach " + release->repository));
  }
  constexpr std::string_view sudo = "sudo -n ";
  for (const std::string& command : wanted.commands) {
    const std::string_view text = base::trim(command);
    const bool simple = text.find_first_of("\n;&|<>$`()") == std::string_view::npos;
    if (!simple || text.substr(0, sudo.size()) != sudo || text.substr(sudo.size(), 1) == "-") continue;
    script += fmt::format("sudo -n -l {0} >/dev/null 2>&1 || no {1}\n", text.substr(sudo.size()),
                          shell_quote("no right to run: " + std::string(text)));
  }
  if (script.empty()) return script;
  return "bad=0\nno() { echo \"$1\" >&2; bad=1; }\n" + script + "exit $bad\n";
}

}  // namespace staithe::steps

#include "ssh_config_settings.hpp"
#include "ssh_config_text.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace staithe::ssh::config {
namespace {

/// Debian's own ssh_config sets some for everybody: only what a person has written down is worth a word then.
enum class Counts { always, from_user };

struct UnheardKeyword {
  std::string_view name;  ///< as ssh_config(5) spells it
  Counts counts;
  std::string_view harmless;  ///< values that make no difference, in lower case, with commas between them
  std::string_view meaning;
};

constexpr auto unheard_keywords = std::to_array<UnheardKeyword>({
    {"BindInterface", Counts::always, "none", "say BindAddress: connections leave from any interface"},
    {"CanonicalizePermittedCNAMEs", Counts::always, "none", "aliases in DNS are not followed"},
    {"CheckHostIP", Counts::from_user, "no,false", "keys are looked up by name only"},
    {"Compression", Counts::from_user, "no,false", "nothing is compressed"},
    {"DynamicForward", Counts::from_user, "", "no port is forwarded"},
    {"ForwardAgent", Counts::always, "no,false",
     "SSH_AUTH_SOCK is not there on the host; give it a key of its own, or a credential that the plan "
     "brings"},
    {"GSSAPIAuthentication", Counts::from_user, "no,false", "only public keys open the door"},
    {"HostbasedAuthentication", Counts::from_user, "no,false", "only public keys open the door"},
    {"KnownHostsCommand", Counts::always, "none",
     "only keys in known_hosts files count; staithe hostkeys pin"},
    {"LocalCommand", Counts::from_user, "none", "it is not run"},
    {"LocalForward", Counts::from_user, "", "no port is forwarded"},
    {"NoHostAuthenticationForLocalhost", Counts::from_user, "no,false",
     "the key must be on record there too"},
    {"PKCS11Provider", Counts::from_user, "none", "keys on a card are used through an agent only"},
    {"PreferredAuthentications", Counts::always, "*publickey*", "only public keys open the door"},
    {"PubkeyAuthentication", Counts::always, "yes,true,unbound,host-bound", "only public keys open the door"},
    {"RekeyLimit", Counts::from_user, "default none,default", "libssh's own limits count"},
    {"RemoteCommand", Counts::from_user, "none", "the plan's commands are run, as they are"},
    {"RemoteForward", Counts::from_user, "", "no port is forwarded"},
    {"SecurityKeyProvider", Counts::from_user, "internal,none",
     "security keys are used through an agent only"},
    {"SendEnv", Counts::from_user, "",
     "the environment of this machine is not sent; see vars in staithe.yml"},
    {"SetEnv", Counts::from_user, "", "the host's environment stays as it is; say it in the command"},
    {"StrictHostKeyChecking", Counts::from_user, "yes,true,ask",
     "a key that is not on record is always refused; staithe hostkeys pin"},
    {"VerifyHostKeyDNS", Counts::from_user, "no,false", "a key must be in known_hosts, not in DNS"},
});

const UnheardKeyword* find_unheard(std::string_view keyword) noexcept {
  const auto found =
      std::find_if(unheard_keywords.begin(), unheard_keywords.end(),
                   [&](const UnheardKeyword& one) { return equal_ignoring_case(one.name, keyword); });
  return found == unheard_keywords.end() ? nullptr : &*found;
}

}  // namespace

bool is_unheard(std::string_view keyword) noexcept {
  return find_unheard(keyword) != nullptr;
}

std::vector<Unheard> unheard_of(const Settings& settings) {
  std::vector<Unheard> out;
  for (const auto& [keyword, said] : settings.unheard) {
    const auto* known = find_unheard(keyword);
    const auto words = split_arguments(said.value);
    const auto value = words ? base::join(*words, " ") : said.value;
    if (known == nullptr || (known->counts == Counts::from_user && !said.from_user)) continue;
    if (match_list(lower(value), known->harmless) == 1) continue;
    out.push_back(
        {fmt::format("{} {}", known->name, base::printable(value)), said.place, std::string(known->meaning)});
  }
  return out;
}

}  // namespace staithe::ssh::config

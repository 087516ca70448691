#include "staithe/pg/programs.hpp"

#include "url.hpp"

#include "staithe/base/error.hpp"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

namespace staithe::pg {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;

constexpr std::array<std::pair<const char*, const char*>, 33> variables{{
    {"host", "PGHOST"},
    {"hostaddr", "PGHOSTADDR"},
    {"port", "PGPORT"},
    {"dbname", "PGDATABASE"},
    {"user", "PGUSER"},
    {"password", "PGPASSWORD"},
    {"passfile", "PGPASSFILE"},
    {"service", "PGSERVICE"},
    {"options", "PGOPTIONS"},
    {"application_name", "PGAPPNAME"},
    {"sslmode", "PGSSLMODE"},
    {"sslcompression", "PGSSLCOMPRESSION"},
    {"sslcert", "PGSSLCERT"},
    {"sslkey", "PGSSLKEY"},
    {"sslrootcert", "PGSSLROOTCERT"},
    {"sslcrl", "PGSSLCRL"},
    {"sslcrldir", "PGSSLCRLDIR"},
    {"sslcertmode", "PGSSLCERTMODE"},
    {"sslnegotiation", "PGSSLNEGOTIATION"},
    {"sslsni", "PGSSLSNI"},
    {"ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"},
    {"ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"},
    {"require_auth", "PGREQUIREAUTH"},
    {"requirepeer", "PGREQUIREPEER"},
    {"channel_binding", "PGCHANNELBINDING"},
    {"gssencmode", "PGGSSENCMODE"},
    {"gssdelegation", "PGGSSDELEGATION"},
    {"gsslib", "PGGSSLIB"},
    {"krbsrvname", "PGKRBSRVNAME"},
    {"connect_timeout", "PGCONNECT_TIMEOUT"},
    {"client_encoding", "PGCLIENTENCODING"},
    {"target_session_attrs", "PGTARGETSESSIONATTRS"},
    {"load_balance_hosts", "PGLOADBALANCEHOSTS"},
}};

std::optional<std::string> variable_for(const std::string& keyword) {
  for (const auto& [name, variable] : variables)
    if (keyword == name) return variable;
  return std::nullopt;
}

std::map<int, std::string> installed(const std::string& name) {
  std::map<int, std::string> found;
  std::error_code ignored;
  for (const char* root : {"/usr/lib/postgresql", "/usr/local/lib/postgresql"}) {
    for (const auto& entry : fs::directory_iterator(root, ignored)) {
      const std::string directory = entry.path().filename().string();
      int major = 0;
      const auto [end, error] = std::from_chars(directory.data(), directory.data() + directory.size(), major);
      const auto path = entry.path() / "bin" / name;
      if (error == std::errc{} && end == directory.data() + directory.size() &&
          ::access(path.c_str(), X_OK) == 0)
        found.emplace(major, path.string());
    }
  }
  for (int major = 9; major < 40; ++major) {
    const std::string path = "/usr/pgsql-" + std::to_string(major) + "/bin/" + name;
    if (::access(path.c_str(), X_OK) == 0) found.emplace(major, path);
  }
  return found;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> program_environment(std::string_view url) {
  std::vector<std::pair<std::string, std::string>> environment;
  for (const auto& [keyword, value] : parse_url(url).parameters)
    if (const auto variable = variable_for(keyword)) environment.emplace_back(*variable, value);
  return environment;
}

std::vector<std::string> keywords_without_variable(std::string_view url) {
  std::vector<std::string> keywords;
  for (const auto& [keyword, value] : parse_url(url).parameters)
    if (!variable_for(keyword) && !keyword.starts_with("keepalives") && keyword != "tcp_user_timeout")
      keywords.push_back(keyword);
  return keywords;
}

std::vector<std::string> secrets_of(std::string_view url) {
  return parse_url(url).secrets;
}

std::string find_program(const std::string& name, int major) {
  const auto there = installed(name);
  if (const auto found = there.lower_bound(major); found != there.end()) return found->second;
  std::string text = name + " " + std::to_string(major) + " or newer is not installed";
  if (!there.empty()) text += "; the newest one here is " + std::to_string(there.rbegin()->first);
  throw Error(ErrorCode::unavailable,
              text + "; on Debian: apt install postgresql-client-" + std::to_string(major));
}

}  // namespace staithe::pg

#pragma once
#include "planning.hpp"

#include "staithe/playbook/sites.hpp"
#include "staithe/store/records.hpp"
#include "staithe/world/survey.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

/// What the commands share that only look.
namespace staithe::cli {

/// Who answers questions about passphrases.
world::Person person_of(App& app);

/// The hosts and balancers of the environment; `selection` "" means all.
plan::Plan survey_plan(App& app, Loaded& loaded, const std::string& selection);

/// The hosts that the command line's words and --limit mean, in the order of the inventory; all without.
std::vector<std::string> hosts_meant(App& app, Loaded& loaded);

/// What is to be looked at on each host.
std::vector<world::HostWish> wishes_of(const std::vector<playbook::Site>& sites);

/// The service of the command line, or the only one; null when there are none or several.
const playbook::Service* service_of(App& app, Loaded& loaded);

/// The service of the command line, else all that there are.
std::vector<const playbook::Service*> services_meant(App& app, Loaded& loaded);

/// The sites of one service on those of the hosts that run it.
std::vector<playbook::Site> sites_of_service(App& app, Loaded& loaded, const playbook::Service& service,
                                             const std::vector<std::string>& hosts);

/// The sites of service_of() on the hosts that run it; of the other hosts nothing but the name is known.
std::vector<playbook::Site> sites_of_all(App& app, Loaded& loaded, const std::vector<std::string>& hosts);

/// Prints what `status` shows, without what to do next, as text or JSON Lines. Returns the balancers that
/// could not be looked at.
std::vector<std::string> print_picture(App& app, Loaded& loaded);

/// The state, or null when nothing was ever kept: looking makes no file.
std::unique_ptr<store::Store> open_store_if_there(App& app, const Loaded& loaded);

/// "2026-11-20 20:45:12 UTC".
std::string when_text(store::Time time);

/// Lines of aligned columns, a line for each row whatever its texts hold, without trailing blanks, `indent`
/// blanks in front.
std::string aligned(std::vector<std::vector<std::string>> rows, std::size_t indent = 0);

/// JSON Lines on stdout; in front of the first one stands the record with the version of the schema, but for
/// `further` ones of the same command.
class Records {
 public:
  enum class Place { first, further };
  explicit Records(App& app, Place place = Place::first);
  void write(const nlohmann::json& record);

 private:
  App& app_;
};

}  // namespace staithe::cli

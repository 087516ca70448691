#pragma once
#include "lapsed.hpp"
#include "looking.hpp"
#include "ways_out.hpp"

#include "staithe/world/faults.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace staithe::cli {

/// Everything that status tells, gathered before a line of it is printed.
struct Picture {
  world::Survey survey;
  std::vector<std::string> hosts;                ///< in the order of the inventory
  std::map<std::string, world::TakenOut> taken;  ///< by host
  std::set<std::string> out;                     ///< hosts that some server of theirs is out by command
  std::map<std::string, Lapsed> lapsed;          ///< hosts that are not out where a run had taken them
  bool no_state = false;                         ///< what runs did could not be read
  std::vector<store::LockInfo> locks;
  std::vector<store::Run> unfinished;
  std::map<std::string, world::LeftFailed> failed;  ///< by host
  std::vector<Way> ways;                            ///< off releases that differ or are bad
  std::vector<world::Unjudged> unjudged;            ///< runs whose end is missing
  std::vector<std::string> drain;                   ///< what takes those out again that were to stay out
  std::vector<std::string> restore;                 ///< what gives to_restore() back
  std::vector<std::string> services;         ///< of each of the survey's hosts, in its order; "" for none
  std::map<std::string, Versions> versions;  ///< by service
  std::map<std::string, std::map<std::string, std::string>>
      bad;  ///< by service: releases there that are, each with the run that found so

  bool differ() const;
  bool is_bad(const std::string& service, const std::string& release) const;
  /// Some run is, of any service where none is named.
  bool under_way(const std::string& service = {}) const;
  /// While its service is being worked on, what becomes of the host is not known yet.
  bool is_open(const world::LeftFailed& left) const;
  bool trouble() const;
  /// Hosts whose key is not known, or not the one on record.
  std::vector<std::string> distrusted() const;
  /// Hosts that are out and that no run has in hand, each with the run that took it, "" for none of ours.
  std::map<std::string, std::string> to_restore() const;
  /// Hosts whose next reload brings another release than the one they run, and that nobody has in hand.
  std::vector<std::string> run_another() const;
  bool died() const;
  /// The runs that left something, those that died first.
  std::vector<store::Run> to_recover() const;
  /// Somebody has to come: a run left a host out or half changed, or died, or nobody judged what it brought,
  /// or hosts run different releases or a bad one, or another than is live there, or visitors come to one
  /// that is meant to be out.
  bool needs_person() const;
};

/// Asks balancers and hosts, and reads the state.
Picture take_picture(App& app, Loaded& loaded);

/// The survey's hosts that run the service; "" for those that run none.
std::vector<world::HostLook> hosts_with(const Picture& picture, const std::string& service);

/// What `status --json` writes: all but the last record, and with it.
void print_records(App& app, const Picture& picture);
void print_records(App& app, const Loaded& loaded, const Picture& picture, int code);

}  // namespace staithe::cli

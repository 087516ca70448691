#pragma once
#include "staithe/checks/suite.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

/// Suites of a project with two hosts, a database and a file of cases.
namespace staithe::checks::test {

inline Context context() {
  Context made;
  made.values["environment"] = "production";
  made.values["deploy.release"] = "4f1c2aa";
  made.groups["app"] = {{"web1", {{"address", "10.0.0.1"}, {"name", "web1"}}},
                        {"web2", {{"address", "10.0.0.2"}, {"name", "web2"}}}};
  made.groups["edge"] = {{"edge1", {{"address", "10.0.0.9"}, {"name", "edge1"}}}};
  made.groups["nobody"] = {};
  made.databases["ledger"] = {staithe::plan::SecretRef::Source::env, "LEDGER"};
  made.read_file = [](const std::string& path, std::string& why) -> std::optional<std::string> {
    if (path == "cases.csv")
      return "name,miles,decision\nnear,2,approve\n\"far, away\",3800,\"at least 1\"\n";
    if (path == "semicolons.csv") return "a;b\n1;2\n";
    if (path == "semicolons_and_quotes.csv") return "\n\"a\";\"b\"\n1;2\n";
    if (path == "quoted.csv") return "\"a;b\"\n1\n2\n";
    if (path == "bad.csv") return "note,want,code\r\n\"a\nb\",\"1\",200\né,at least x,20x\nc, 1 to 2,$\n";
    if (path == "forged.csv") return "a,name\n1,\"th\n::add-mask::zzz\"\n2,\x1b[31mred\n3,ring\x07\n4,fine\n";
    if (path == "short.csv") return "a,b\n1,2\n3\n";
    if (path == "open.csv") return "a,b\n1,\"2\n";
    if (path == "alike.csv") return "name,a\nx,1\nx,2\n";
    if (path == "urls.csv")
      return "name,url,path,host\n1,http://other/z,/z,other\n2,http://h:80/z,/z,h\n3,/z,@other/"
             "z,h:80@other\n";
    if (path == "slips.csv")
      return "name,want,address,time\na,at lest 3,db:1,3s\nb,\"[a, \"\"3\"\", "
             "4]\",db,4\nc,\"[a\",db:2,$(x)\n";
    if (path == "texts.csv") return "name,error\na,Empty basket\nb,empty list\nc,2 or 3\nd,regex error\n";
    if (path == "places.csv") return "name,id\na,7\nb,\nc,..\nd,../x\ne,%2e%2e\nf,.\n";
    if (path == "paths.csv") return "n,path\n1,ok/x\n2,what?\n3,a#b\n";
    if (path == "ways.csv") return "name,host,to,proxy\n1,x,h:1,http://p:1\n2,y,h:2,none\n3,x/y,h:3,none\n";
    if (path == "tricks.csv") return "name,host\n1,h\\@other\n2,h\\\n";
    if (path == "hosts.csv")
      return "name,host,to,time,for\nok,h:443,h:1,1s,1s\nbad,\"h:x\",h,1s,1s\nlate,h,h:1,0s,10m\n";
    why = "no such file";
    return std::nullopt;
  };
  return made;
}

struct Loaded {
  explicit Loaded(const std::string& text) : suite(load_suite("s.yml", text, context(), diagnostics)) {}
  /// "line message", and the help.
  std::string first() const {
    const auto all = diagnostics.sorted();
    return all.empty() ? ""
                       : std::to_string(all.front().position.line) + " " + all.front().message + " | " +
                             all.front().help;
  }
  /// Each as "file:line:column message".
  std::string all() const {
    std::string text;
    for (const auto& one : diagnostics.sorted())
      text += one.position.file.text() + ":" + std::to_string(one.position.line) + ":" +
              std::to_string(one.position.column) + " " + one.message + "\n";
    return text;
  }
  staithe::diag::Diagnostics diagnostics;
  std::optional<Suite> suite;
};

/// JSON as a tree of it would be written: nothing between its parts, the keys of each object in order, once.
inline bool is_canonical(const std::string& text) {
  const auto tree = nlohmann::json::parse(text, nullptr, false);
  return !tree.is_discarded() && tree.dump() == text;
}

inline std::string with_step(const std::string& step) {
  return "suite: s\ntarget: http://127.0.0.1\nsteps:\n  - " + step + "\n";
}

}  // namespace staithe::checks::test

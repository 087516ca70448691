#include "staithe/pg/programs.hpp"

#include "catch.hpp"

#include <algorithm>

using namespace staithe;

TEST_CASE("what a URL says stands in the variables of libpq, and what has none is named") {
  const std::string url =
      "postgresql://u@h:5433/"
      "d?ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3&gsslib=gssapi&"
      "sslcrldir=/crl&require_auth=scram-sha-256&sslcertmode=allow&load_balance_hosts=random&keepalives=1";
  const auto variables = pg::program_environment(url);
  for (const std::pair<std::string, std::string> wanted :
       {std::pair{"PGHOST", "h"}, std::pair{"PGSSLMINPROTOCOLVERSION", "TLSv1.2"},
        std::pair{"PGSSLMAXPROTOCOLVERSION", "TLSv1.3"}, std::pair{"PGGSSLIB", "gssapi"},
        std::pair{"PGSSLCRLDIR", "/crl"}, std::pair{"PGREQUIREAUTH", "scram-sha-256"},
        std::pair{"PGSSLCERTMODE", "allow"}, std::pair{"PGLOADBALANCEHOSTS", "random"}}) {
    CAPTURE(wanted.first);
    CHECK(std::find(variables.begin(), variables.end(), wanted) != variables.end());
  }
  CHECK(pg::keywords_without_variable(url).empty());
  const std::string secret = "postgresql://u@h/d?sslpassword=x";
  CHECK(pg::keywords_without_variable(secret) == std::vector<std::string>{"sslpassword"});
  CHECK(pg::program_environment(secret).size() == 3);
}

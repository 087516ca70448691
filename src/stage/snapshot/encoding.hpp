#pragma once
#include "staithe/pg/session.hpp"

#include <string>

/// What is said to the servers and what they say is UTF-8, as the file of masks and our plans are. Rows are
/// not converted: they go in the encoding that both databases have. SQL_ASCII is no encoding, and nothing is
/// converted at all there.
namespace staithe::stage {

/// The bytes that "00ff..." means, as the server writes it.
std::string from_hex(const std::string& hex);

/// Whether statements to a database in `encoding` and its rows are in two encodings.
bool is_converted(const std::string& encoding);

/// The client_encoding for statements to a database in `encoding`.
std::string spoken_to(const std::string& encoding);

/// Sets it.
void speak_utf8(pg::Session& session, const std::string& encoding, const base::Scope& scope);

/// Sets client_encoding to the database's, for a COPY, and returns `sql`, which is UTF-8, in it. A letter
/// that it does not have is refused by the server before (SqlError 22P05).
std::string speak_as_server(pg::Session& session, const std::string& encoding, const std::string& sql,
                            const base::Scope& scope);

}  // namespace staithe::stage

#pragma once
#include "fill.hpp"

namespace staithe::verify {

/// Puts values into the holes of a URL so that it asks for what its author wrote, and for nothing else:
/// a hole that the URL begins with is a URL or a path of its own; one behind the host may be a path; one
/// inside the path is one piece of a segment, and one behind '?' a value. What cannot stand there is
/// percent-encoded. Throws base::Error{not_found, invalid}: a value that is empty, null, a list or an object,
/// one that would climb with "..", one that names another host than was written.
plan::Text url_filled(const plan::Text& url, const Captures& captures);

}  // namespace staithe::verify

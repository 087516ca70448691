#pragma once
#include "fill.hpp"

namespace staithe::verify {

/// Puts values into the holes of a URL so that it asks for what its author wrote, and for nothing else:
/// a hole that the URL begins with is a URL or a path of its own, with its query; one behind the host or
/// behind other text of a path may be such a path; else one inside the path is one piece of a segment, and
/// one behind '?' a value. What cannot stand there is percent-encoded. `target` is the suite's, "" for none.
///
/// Whom is asked, no value that the system gave says: where it is a whole URL, it must have the origin of
/// `target`, for it is asked with the suite's credentials; without a target any will do. Inside of a host
/// only run.id may stand, behind "host:" also a port.
///
/// Throws base::Error{not_found, invalid}: a value that is empty, null, a list or an object, one that would
/// climb with "..", one that names another host, one whose query would take in what comes after it, one
/// whose query may as well be part of the path.
plan::Text url_filled(const plan::Text& url, const std::string& target, const Captures& captures);

}  // namespace staithe::verify

def measure(*_): return ""

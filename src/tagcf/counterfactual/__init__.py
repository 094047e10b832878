"""(4) Effects and one item (and user) to a WhatIf."""

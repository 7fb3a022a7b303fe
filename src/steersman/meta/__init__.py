"""Pure values every part shares: names, labels, selectors, quantities, times, conditions, owners, errors."""

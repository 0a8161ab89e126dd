"""Fields that are made of the images themselves, one a file: `derive: {edges: {}}` of a data set."""

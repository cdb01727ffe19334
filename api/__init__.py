"""HTTP: settings, the app, one router module a surface, and the commands that drive the same parts."""

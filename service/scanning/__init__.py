"""The bulk run over files, folders, archives and object stores."""

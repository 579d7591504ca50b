"""Being written."""


def list_csv(file, data_dir, reading):
    raise NotImplementedError

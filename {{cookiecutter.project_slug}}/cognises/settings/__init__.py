"""Settings: where they are read (sources), what each must look like (values), and the model."""

# cooltools is built from source; the larger image has the compiler.
FROM python:3.11 AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir -w /wheels -c constraints.txt ".[cooltools]"

FROM python:3.11-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels "akita_bayes[cooltools]"
WORKDIR /data
CMD ["python", "-m", "akita_bayes"]

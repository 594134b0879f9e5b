FROM python:3.11-slim
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir -c constraints.txt .
WORKDIR /data
CMD ["python", "-m", "akita_bayes"]
